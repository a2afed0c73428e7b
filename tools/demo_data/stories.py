# SPDX-License-Identifier: Apache-2.0
"""Short stories with known facts, made from plots.txt: the demo model's main diet. Called by chats.py.

`Story` carries its text together with what it is about, a summary, questions with answers and a moral, so that chats
can ask for it, ask about it and plan it. Heroes, names and things also come from WordNet lists, so that the model
learns to carry a word it has never met in a story from the request into the answer.
"""

from pathlib import Path

from .grammar import fill, parse, polish, say

SHE = "Lily Mia Anna Emma Sara Zoe Nora Ella Ruby Clara Lucy Ida Rosa Molly Tess Amy Eva Leila Maya Hana Nina Olga Pia Greta Frida Daisy Hazel Ivy Luna Stella Kira Mira Alma Bella Coco Dora Elsa Fay Gia Holly Iris June Katya Lola Mabel Nell Opal Penny Quinn Rita Sofia Tina Una Vera Wilma Yara Zara Alice Betty Carla Diana Edith Flora Gina Helga Inga Jane Kate Linda Marta Nadia Olive Paula Rose Susi Tilda Ursula Wanda Aisha Fatima Mei Sakura Priya Amara Ingrid Matilda Charlotte".split()
HE = "Tom Ben Max Leo Sam Finn Oscar Jack Noah Emil Theo Hugo Paul Otto Felix Karl Luca Milo Nico Oli Pip Rory Silas Toby Uli Viktor Walter Yuri Zack Adam Bruno Caleb Dan Eli Fred Gus Henry Ivan Jonas Kai Lars Mark Nils Owen Peter Ralf Stan Tim Udo Vito Will Anton Basil Carlo David Erik Frank George Harold Igor Jim Kurt Louis Martin Ned Omar Pablo Quentin Rob Simon Ted Vincent Wim Ali Hassan Kenji Ravi Kofi Diego Mateo Arthur Alfie Charlie Bobby Barnaby Rufus".split()
PET = "Pip Mimi Fluff Hops Rusty Whiskers Nibbles Bramble Pebble Patch Spot Tiptoe Button Biscuit Clover Dusty Fidget Ginger Hazel Jumper Kiki Lolly Mo Nutmeg Olly Poppy Quill Rolo Scamp Tuffy Velvet Waffles Ziggy Bubbles Cinder Dandy Ember Fern Gizmo Honey Inky Jasper Juno Kip Lulu Maple Nugget Otis Pumpkin Rascal Sunny Teddy Umber Violet Willow Bo Bino Tika Momo Lumi Zibo Taro Pico Nando Runa Faro Mino".split()
ANIMALS = "fox rabbit bear mouse cat dog hedgehog squirrel owl duck frog turtle badger deer wolf lion elephant monkey penguin goat sheep pig cow horse donkey hen goose crow sparrow mole beaver otter snail bee ant ladybug butterfly kitten puppy duckling lamb tiger giraffe zebra kangaroo koala panda parrot raccoon hamster seal dolphin crab octopus lizard dragon unicorn robot".split()
CHILDREN = ["girl", "boy"]
ADULTS = "baker farmer sailor fisherman gardener shepherd miller tailor carpenter painter teacher doctor postman musician wizard witch king queen prince princess knight pirate giant dwarf astronaut cook clockmaker blacksmith librarian".split()
SHE_KINDS = {"girl", "witch", "queen", "princess", "hen", "cow", "mother", "grandmother", "goose"}
HE_KINDS = {"boy", "fisherman", "postman", "wizard", "king", "prince", "knight", "giant", "dwarf", "shepherd", "miller"}
TRAITS = "little small kind clever brave curious shy funny cheerful gentle friendly young quiet lively merry".split()
FRIEND_TRAITS = "little friendly wise old kind funny clever gentle small cheerful tall young round grey".split()
PLACES = [
    "in a small village",
    "in a little town by the sea",
    "in a green valley",
    "at the edge of a big forest",
    "on a hill above the sea",
    "on a farm",
    "in a quiet street in the city",
    "near a blue lake",
    "in the mountains",
    "on a small island",
    "in an old lighthouse",
    "in a land far away",
    "beside a river",
    "in a warm meadow",
    "in a village full of flowers",
    "in a cottage under a big oak tree",
    "at the foot of a high mountain",
    "behind the old mill",
    "in the middle of a large garden",
    "in a town with red roofs",
]
TIMES = [
    "One sunny morning",
    "One day",
    "One spring morning",
    "One summer day",
    "One autumn day",
    "One rainy afternoon",
    "One evening",
    "One Sunday",
    "Early one morning",
    "One windy day",
    "One Monday morning",
    "One warm afternoon",
    "On a cold morning",
    "One fine day",
    "On the first day of spring",
]
THINGS = (
    "ball kite drum hat scarf key book boat whistle doll lantern basket bell ring umbrella blanket clock flute bag box mirror coin cup stone shell feather pencil toy train bucket necklace watch map lamp teddy bear spoon marble".replace(
        "toy train", "toy_train"
    )
    .replace("teddy bear", "teddy_bear")
    .split()
)
THING_TRAITS = (
    "red blue green yellow golden silver small big old new shiny wooden round tiny striped purple white warm".split()
)
SPOTS = [
    "under the bed",
    "behind the door",
    "in the garden",
    "under an old tree",
    "behind the barn",
    "in the tall grass",
    "near the well",
    "by the fence",
    "on the bench",
    "behind a big stone",
    "under the stairs",
    "in the kitchen",
    "in the hay",
    "near the bridge",
    "under a bush",
    "beside the path",
    "in the cupboard",
    "under the apple tree",
    "next to the fireplace",
    "at the bus stop",
]
JUNK = "rusty nail,old shoe,broken plate,dry leaf,piece of string,glove,lost button,paper bag,green bottle,bird's nest".split(
    ","
)
TRAPS = [
    "in a deep hole",
    "in the mud",
    "under a fallen branch",
    "in a thorny bush",
    "between two rocks",
    "in an old well",
    "on a high branch",
    "under a heavy log",
    "in a fishing net",
    "in the ice",
]
SKILLS = [
    "swim",
    "dance",
    "whistle",
    "ride a bike",
    "skate",
    "juggle",
    "climb trees",
    "read",
    "write poems",
    "paint",
    "play the flute",
    "bake bread",
    "jump rope",
    "sing",
    "tie knots",
    "swim under water",
    "do magic tricks",
    "stand on one leg",
    "count to a thousand",
    "play chess",
]
FOODS = [
    "bread",
    "cake",
    "apple pie",
    "honey cake",
    "cheese",
    "chocolate",
    "plum cake",
    "gingerbread",
    "pumpkin pie",
    "carrot cake",
    "corn bread",
    "cherry pie",
    "berry pie",
    "nut bread",
    "pizza",
    "popcorn",
    "lemon cake",
]
WORDS = {
    "goal": [
        "sea",
        "big city",
        "highest mountain",
        "great waterfall",
        "desert",
        "old castle",
        "northern lights",
        "end of the rainbow",
        "great river",
        "wild horses",
    ],
    "noisy": [
        "the cellar",
        "the attic",
        "the garden",
        "behind the wall",
        "the kitchen",
        "under the bed",
        "the chimney",
        "behind the door",
    ],
    "craft": [
        "paper lantern",
        "wooden boat",
        "necklace of shells",
        "little wooden bird",
        "woollen scarf",
        "kite",
        "picture book",
        "wooden chair",
        "toy house",
        "bracelet",
    ],
    "plant": [
        "sunflower",
        "pumpkin",
        "apple tree",
        "bean plant",
        "rose bush",
        "tomato plant",
        "tall sunflower",
        "cherry tree",
        "strawberry plant",
    ],
    "water": ["river", "lake", "stream", "sea", "brook"],
    "pond": ["pond", "lake"],
    "wood": ["forest", "wood", "woods"],
    "town": ["village", "town", "neighbourhood"],
    "home": ["house", "cottage", "hut", "little house", "cabin"],
    "broken": ["bridge", "water mill", "boat", "swing", "windmill", "ferry", "fountain", "cart"],
    "flyer": ["blue butterfly", "golden butterfly", "dragonfly", "firefly", "white bird"],
    "wisher": ["small fairy", "golden fish", "little star"],
    "tool": ["stick", "rope"],
    "light": ["lamp", "candle"],
    "instr": ["pots and spoons", "glasses and spoons"],
    "junk": JUNK,
    "trap": TRAPS,
    "skill": SKILLS,
    "food": FOODS,
}
VEGETABLES = [
    "three carrots",
    "a big pumpkin",
    "some beans",
    "two leeks",
    "a cabbage",
    "a few potatoes",
    "some mushrooms",
    "fresh herbs",
    "a bag of peas",
    "a turnip",
    "some tomatoes",
    "a piece of cheese",
    "a cup of rice",
]
OPEN = [
    "Once upon a time, {at}, there lived a {adj} {kind} named {N}.",
    "Once upon a time there was a {adj} {kind} named {N}. {N} lived {at}.",
    "{At}, there lived a {adj} {kind}. {His} name was {N}.",
    "There was once a {adj} {kind} called {N}, who lived {at}.",
    "{N} was a {adj} {kind} who lived {at}.",
    "{N} the {kind} lived {at}.",
    "Long ago, a {adj} {kind} named {N} lived {at}.",
    "Once there was a {adj} {kind} named {N}.",
]
PRONOUNS = {
    "he": ("he", "him", "his", "himself"),
    "she": ("she", "her", "her", "herself"),
    "it": ("it", "it", "its", "itself"),
}


def read_plots(path=Path(__file__).with_name("plots.txt")):
    plots = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") or not line:
            continue
        if line.startswith("== "):
            plots.append({"name": line[3:], "qa": [], "stages": []})
        elif line == "-":
            plots[-1]["stages"].append([])
        elif plots[-1]["stages"]:
            plots[-1]["stages"][-1].append(line)
        else:
            key, value = line.split(": ", 1)
            if key == "qa":
                plots[-1]["qa"].append(tuple(value.split(" | ")))
            else:
                plots[-1][key] = value
    return plots


PLOTS = read_plots()


def add_person(slots, prefix, kind, name, gender, trait):
    he, him, his, himself = PRONOUNS[gender]
    keys = {"N": ("N", "kind", "adj"), "F": ("F", "fkind", "fadj")}[prefix]
    slots.update(zip(keys, (name, kind, trait)))
    small = "" if prefix == "N" else "f"
    for key, value in (("he", he), ("him", him), ("his", his), ("himself", himself)):
        slots[small + key] = value
        slots[(small + key).capitalize()] = value.capitalize()
    if prefix == "N":
        slots["myself"] = "myself"


def invented_name(rng):
    """A name that no list holds, so that names are copied from the request and not from memory."""
    start = rng.choice(
        [
            "B",
            "Br",
            "D",
            "F",
            "G",
            "Gl",
            "K",
            "L",
            "M",
            "N",
            "P",
            "Qu",
            "R",
            "S",
            "Sh",
            "T",
            "Tr",
            "V",
            "X",
            "Z",
            "A",
            "E",
            "O",
        ]
    )
    middle = "".join(
        rng.choice("aeiou") + rng.choice(["l", "n", "r", "m", "b", "d", "k", "s", "t", "z", "ll", "rk", "nd"])
        for _ in range(rng.choice((1, 1, 2)))
    )
    return (
        start
        + middle.lstrip("aeiou" if start in "AEO" else "")
        + rng.choice(["", "", "a", "o", "i", "y", "in", "ella", "us", "ax"])
    )


def pick_person(rng, words, rare, invented):
    """A kind, a fitting name and a gender; now and then a kind that only WordNet knows."""
    draw = rng.random()
    if draw < 0.25:
        kind = rng.choice(CHILDREN)
    elif draw < 0.4:
        kind = rng.choice(ADULTS)
    elif draw < 1 - rare:
        kind = rng.choice(ANIMALS)
    else:
        kind = rng.choice(words["animal"] if rng.random() < 0.5 else words["person"])
    gender = "she" if kind in SHE_KINDS else "he" if kind in HE_KINDS else rng.choice(("he", "she"))
    human = kind in CHILDREN or kind in ADULTS
    if invented:
        name = invented_name(rng)
    elif human or rng.random() < 0.4:
        name = rng.choice(SHE if gender == "she" else HE)
    else:
        name = rng.choice(PET)
    return kind, name, gender


class Story:
    """One story: slots (its facts), text, summary, about (what to ask for), questions, moral, title."""

    def __init__(self, rng, words, rare=0.12, invented=False):
        plot = rng.choice(PLOTS)
        slots = {key: rng.choice(values) for key, values in WORDS.items()}
        kind, name, gender = pick_person(rng, words, rare, invented)
        add_person(slots, "N", kind, name, gender, rng.choice(TRAITS))
        while True:
            fkind, fname, fgender = pick_person(rng, words, rare, invented)
            if fkind != kind and fname != name:
                break
        add_person(slots, "F", fkind, fname, fgender, rng.choice(FRIEND_TRAITS))
        spots = rng.sample(SPOTS, 3)
        veg = rng.sample(VEGETABLES, 3)
        at = rng.choice(PLACES)
        thing = rng.choice(THINGS) if rng.random() > rare else rng.choice(words["thing"])
        slots.update(
            at=at,
            At=at[0].upper() + at[1:],
            time=rng.choice(TIMES),
            obj=thing.replace("_", " "),
            objadj=rng.choice(THING_TRAITS),
            spot1=spots[0],
            spot2=spots[1],
            spot3=spots[2],
            veg1=veg[0],
            veg2=veg[1],
            veg3=veg[2],
            open=rng.choice(OPEN),
        )
        self.slots, self.plot = slots, plot
        paragraphs = [polish(fill(parse(rng.choice(stage)), slots, rng)) for stage in plot["stages"]]
        self.joined = rng.random() < 0.35
        self.paragraphs = paragraphs
        self.text = self.layout(rng)
        self.summary = say(plot["sum"], rng, slots)
        self.about = fill(parse(plot["about"]), slots, rng)
        self.qa = [(say(q, rng, slots), say(a, rng, slots)) for q, a in plot["qa"]]
        self.qa += [
            (
                say(
                    "[What is the name of the {kind}|What was the {kind} called|Who is the main character]?", rng, slots
                ),
                say("[The {kind} is called {N}|The name of the {kind} is {N}].", rng, slots),
            ),
            (
                say("What kind of [animal or person|character] is {F}?", rng, slots),
                say("{F} is a {fkind}.", rng, slots),
            ),
        ]
        self.moral = say(plot["moral"] + ".", rng, slots)
        self.title = say("[{N} and the {obj}|{N} and {F}|The {kind} and the {fkind}|{N} the {kind}]", rng, slots)
        self.title = " ".join(
            w if w in ("and", "the", "of", "a", "an") and i else w.capitalize()
            for i, w in enumerate(self.title.split())
        )

    def layout(self, rng):
        if self.joined:
            return " ".join(self.paragraphs)
        groups, i = [], 0
        while i < len(self.paragraphs):
            n = rng.choice((1, 2, 2, 3))
            groups.append(" ".join(self.paragraphs[i : i + n]))
            i += n
        return "\n\n".join(groups)
