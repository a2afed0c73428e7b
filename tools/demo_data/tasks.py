# SPDX-License-Identifier: Apache-2.0
"""Single questions with an answer and a short line of thought: sums, capitals, lists, definitions, JSON, tools.

Every function takes (rng, words) and returns (question, thought, answer). Called by chats.py.
"""

import json

from . import stories
from .grammar import polish, say
from .tables import FACTS, LISTS, POEMS, TABLES


def plural(noun):
    special = {
        "fish": "fish",
        "sheep": "sheep",
        "country": "countries",
        "city": "cities",
        "part of the body": "parts of the body",
        "piece of clothing": "pieces of clothing",
        "piece of furniture": "pieces of furniture",
        "fruit": "fruits",
    }
    if noun in special:
        return special[noun]
    return noun + "s"


def joined(items):
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()


def sums(rng, words):
    kind = rng.random()
    a, b = (rng.randint(0, 10), rng.randint(0, 10)) if rng.random() < 0.5 else (rng.randint(0, 99), rng.randint(0, 99))
    if kind < 0.45:
        sign, word, c = "+", "plus", a + b
    elif kind < 0.75:
        a, b = max(a, b), min(a, b)
        sign, word, c = "-", "minus", a - b
    else:
        a, b = rng.randint(0, 10), rng.randint(0, 10)
        sign, word, c = rng.choice(["*", "x", "×"]), "times", a * b
    q = rng.choice(
        [
            f"What is {a} {sign} {b}?",
            f"{a} {sign} {b} = ?",
            f"What is {a} {word} {b}?",
            f"Calculate {a} {sign} {b}.",
            f"How much is {a} {word} {b}?",
            f"{a}{sign}{b}",
            f"{a} {sign} {b}",
        ]
    )
    if max(a, b) <= 10 and rng.random() < 0.1:
        q = f"What is {NUMBERS[a]} {word} {NUMBERS[b]}?"
    thought = f"I need to compute {a} {sign} {b}."
    if word == "plus" and max(a, b) > 10:
        tens, ones = a // 10 * 10 + b // 10 * 10, a % 10 + b % 10
        thought += f" The tens give {tens}, the ones give {ones}. Together that is {c}."
    else:
        thought += f" That is {c}."
    return q, thought, rng.choice([f"{a} {sign} {b} = {c}", f"{a} {word} {b} is {c}.", f"The answer is {c}.", f"{c}"])


def word_problem(rng, words):
    name = rng.choice(stories.SHE + stories.HE)
    he = "she" if name in stories.SHE else "he"
    thing = rng.choice(
        [
            "apples",
            "books",
            "marbles",
            "coins",
            "flowers",
            "pencils",
            "cookies",
            "shells",
            "eggs",
            "balls",
            "cards",
            "pears",
        ]
    )
    a, b = rng.randint(2, 12), rng.randint(1, 9)
    if rng.random() < 0.5:
        q = rng.choice(
            [
                f"{name} has {a} {thing}. {name} gets {b} more. How many {thing} does {name} have now?",
                f"{name} has {a} {thing} and finds {b} more. How many does {he} have?",
            ]
        )
        return q, f"{name} starts with {a} and gets {b}. {a} + {b} = {a + b}.", f"{name} has {a + b} {thing}."
    a, b = a + b, b
    q = rng.choice(
        [
            f"{name} has {a} {thing}. {he.capitalize()} gives away {b}. How many {thing} are left?",
            f"{name} has {a} {thing} and loses {b}. How many does {he} have now?",
        ]
    )
    return q, f"{name} starts with {a} and {b} are gone. {a} - {b} = {a - b}.", f"{name} has {a - b} {thing} left."


def compare(rng, words):
    if rng.random() < 0.5:
        a, b = rng.sample(range(1, 200), 2)
        big = rng.random() < 0.6
        c = max(a, b) if big else min(a, b)
        word = rng.choice(["bigger", "larger", "greater"]) if big else "smaller"
        return (
            f"Which is {word}, {a} or {b}?",
            f"I compare {a} and {b}. {c} is {word}.",
            f"{c} is {word} than {min(a, b) if big else max(a, b)}.",
        )
    numbers = rng.sample(range(1, 60), rng.randint(3, 5))
    text = ", ".join(map(str, numbers))
    up = rng.random() < 0.6
    result = ", ".join(map(str, sorted(numbers, reverse=not up)))
    q = (
        rng.choice([f"Sort these numbers: {text}", f"Put these numbers in order: {text}"])
        if up
        else f"Sort these numbers from large to small: {text}"
    )
    return q, f"I put the numbers in order, {'smallest' if up else 'largest'} first.", result


def count_up(rng, words):
    n = rng.randint(3, 20)
    if rng.random() < 0.6:
        return (
            rng.choice([f"Count to {n}.", f"Count from 1 to {n}.", f"Can you count to {n}?"]),
            f"I count from 1 to {n}.",
            ", ".join(map(str, range(1, n + 1))),
        )
    n = rng.randint(3, 10)
    return f"Count down from {n}.", f"I count from {n} down to 1.", ", ".join(map(str, range(n, 0, -1)))


def capitals(rng, words):
    country, city = rng.choice(TABLES["capitals"])
    if rng.random() < 0.75:
        q = rng.choice(
            [
                f"What is the capital of {country}?",
                f"What is {country}'s capital?",
                f"Name the capital of {country}.",
                f"Tell me the capital of {country}.",
                f"capital of {country}",
                f"What's the capital of {country}?",
            ]
        )
        return (
            q,
            f"The user asks for the capital of {country}. It is {city}.",
            rng.choice(
                [
                    f"The capital of {country} is {city}.",
                    f"The capital of {country} is {city}.",
                    f"{city} is the capital of {country}.",
                ]
            ).replace("D.C..", "D.C."),
        )
    q = rng.choice([f"{city} is the capital of which country?", f"Where is {city}?", f"In which country is {city}?"])
    return q, f"The user asks about {city}. It is in {country}.", f"{city} is the capital of {country}."


def opposite(rng, words):
    a, b = rng.choice(TABLES["opposites"])
    if rng.random() < 0.5:
        a, b = b, a
    q = rng.choice(
        [
            f"What is the opposite of {a}?",
            f'What is the opposite of "{a}"?',
            f"Give me the opposite of {a}.",
            f"opposite of {a}",
        ]
    )
    return (
        q,
        f"The opposite of {a} is {b}.",
        rng.choice([f"The opposite of {a} is {b}.", f'The opposite of "{a}" is "{b}".', f"{b.capitalize()}."]),
    )


def animal_fact(rng, words):
    draw = rng.random()
    if draw < 0.6:
        animal, text = rng.choice(TABLES["animals"])
        q = (
            rng.choice(
                [
                    f"What is a {animal}?",
                    f"Tell me about the {animal}.",
                    f"Tell me about {animal}s.",
                    f"What do you know about {animal}s?",
                    f"Describe a {animal}.",
                    f"What can you tell me about the {animal}?",
                    f"Explain to a child what a {animal} is.",
                ]
            )
            .replace("mouses", "mice")
            .replace("wolfs", "wolves")
            .replace("deers", "deer")
            .replace("sheeps", "sheep")
        )
        return polish(q), f"The user asks about the {animal}. I say what it is and how it lives.", text
    table, q, a = (
        ("sounds", "[What sound does a {x} make|What does a {x} say|What noise does a {x} make]?", 'A {x} says "{y}".')
        if draw < 0.8
        else (
            "young",
            "[What is a baby {x} called|What do you call a baby {x}|What is the young of a {x} called]?",
            "A baby {x} is called a {y}.",
        )
    )
    x, y = rng.choice(TABLES[table])
    return say(q, rng, {"x": x}), f"The user asks about the {x}. The answer is {y}.", say(a, rng, {"x": x, "y": y})


def lists(rng, words):
    kind, items = rng.choice(list(LISTS.items()))
    draw = rng.random()
    if draw < 0.6:
        n = rng.randint(2, min(5, len(items)))
        picked = rng.sample(items, n)
        q = rng.choice(
            [
                "Name {n} {k}.",
                "List {n} {k}.",
                "Give me {n} {k}.",
                "Tell me {n} {k}.",
                "Can you name {n} {k}?",
                "What are {n} {k}?",
            ]
        ).format(n=NUMBERS[n] if rng.random() < 0.7 else n, k=plural(kind))
        style = rng.random()
        a = (
            "\n".join(f"{i + 1}. {x[0].upper() + x[1:]}" for i, x in enumerate(picked))
            if style < 0.35
            else (
                "\n".join(f"- {x[0].upper() + x[1:]}" for x in picked)
                if style < 0.5
                else joined(picked)[0].upper() + joined(picked)[1:] + "."
            )
        )
        return q, f"The user wants {NUMBERS[n]} {plural(kind)}. I pick {joined(picked)}.", a
    if draw < 0.8:
        x = rng.choice(items)
        other_kind, others = rng.choice(list(LISTS.items()))
        yes = rng.random() < 0.5
        if not yes and x not in others and other_kind not in kind and kind not in other_kind:
            q, a = f"Is {x} a {other_kind}?", f"No, {x} is not a {other_kind}. It is a {kind}."
        else:
            q, a = f"Is {x} a {kind}?", f"Yes, {x} is a {kind}."
        return polish(q), polish(f"I think about what {x} is. It is a {kind}."), polish(a)
    q = rng.choice(["Name a {k}.", "Tell me a {k}.", "Give me an example of a {k}."]).format(k=kind)
    x = rng.choice(items)
    return polish(q), polish(f"The user wants one {kind}. I choose {x}."), x[0].upper() + x[1:] + "."


def translate(rng, words):
    language = rng.choice(["french", "german", "spanish"])
    a, b = rng.choice(TABLES[language])
    name = language.capitalize()
    if rng.random() < 0.75:
        q = rng.choice(
            [
                f'How do you say "{a}" in {name}?',
                f"What is {a} in {name}?",
                f'Translate "{a}" to {name}.',
                f"What is the {name} word for {a}?",
            ]
        )
        return (
            q,
            f'The {name} word for "{a}" is "{b}".',
            rng.choice([f'"{a.capitalize()}" in {name} is "{b}".', f'The {name} word for "{a}" is "{b}".']),
        )
    return f'What does "{b}" mean in English?', f'"{b}" is {name}. It means "{a}".', f'"{b}" is {name} and means "{a}".'


def steps(rng, words):
    name, text = rng.choice(TABLES["steps"])
    items = text.split(" | ")
    q = rng.choice(
        [
            "How do I {x}?",
            "How can I {x}?",
            "How to {x}?",
            "Tell me how to {x}.",
            "Explain how to {x}.",
            "Can you tell me how to {x}?",
            "I want to {x}. How does it work?",
        ]
    ).format(x=name)
    if rng.random() < 0.65:
        a = "\n".join(f"{i + 1}. {x}" for i, x in enumerate(items))
        if rng.random() < 0.5:
            a = rng.choice(["Here is how:", "It is easy:", "Follow these steps:"]) + "\n\n" + a
    else:
        lower = [x[0].lower() + x[1:] for x in items]
        a = (
            "First, "
            + lower[0]
            + " "
            + " ".join(rng.choice(["Then ", "Next, ", "After that, "]) + x for x in lower[1:-1])
            + (" " if len(lower) > 2 else "")
            + "At the end, "
            + lower[-1]
        )
    return q, f"The user wants to know how to {name}. I will give the steps in order.", a


def tips(rng, words):
    name, text = rng.choice(TABLES["tips"])
    items = text.split(" | ")
    n = rng.randint(2, 5)
    picked = rng.sample(items, n)
    q = (
        rng.choice(
            [
                "Give me {n} tips for {x}.",
                "What are {n} tips for {x}?",
                "Can you give me {n} tips for {x}?",
                "I need {n} tips for {x}.",
            ]
        )
        if rng.random() < 0.7
        else rng.choice(["Give me some tips for {x}.", "Any advice for {x}?", "Do you have tips for {x}?"])
    )
    q = q.format(n=NUMBERS[n], x=name)
    a = "\n".join(f"{i + 1}. {x}" for i, x in enumerate(picked))
    if rng.random() < 0.4:
        a = f"Here are {NUMBERS[n]} tips for {name}:\n\n" + a
    return q, f"The user wants tips for {name}. I will list {NUMBERS[n]} short tips.", a


def poem(rng, words):
    topic = rng.choice(list(POEMS))
    couplets = POEMS[topic]
    n = rng.choice((2, 2, 2, 3))
    picked = sorted(rng.sample(range(len(couplets)), n)) if rng.random() < 0.8 else rng.sample(range(len(couplets)), n)
    lines = [line for i in picked for line in couplets[i]]
    the = (
        topic
        if topic in ("love", "winter", "spring", "autumn")
        else (
            rng.choice([f"the {topic}", f"a {topic}"])
            if topic not in ("sun", "moon", "sea", "rain", "night")
            else f"the {topic}"
        )
    )
    q = rng.choice(
        [
            "Write a poem about {x}.",
            "Write a short poem about {x}.",
            "Can you write a poem about {x}?",
            "Tell me a poem about {x}.",
            "Make a little poem about {x}.",
            "A poem about {x}, please.",
            "Write me a rhyme about {x}.",
        ]
    ).format(x=the)
    if rng.random() < 0.1:
        q = rng.choice(["Write a poem.", "Tell me a poem.", "Write a short poem."])
    text = "\n".join(line[0].upper() + line[1:] for line in lines)
    return polish(q), f"The user wants a poem about {the}. I will write {2 * n} lines that rhyme.", text


def definition(rng, words):
    word, pos, gloss = rng.choice(words["common"] if rng.random() < 0.6 else words["definitions"])
    if pos == "noun":
        q = rng.choice(
            [
                f"What is a {word}?",
                f"What does {word} mean?",
                f'What does "{word}" mean?',
                f"Define {word}.",
                f"Explain the word {word}.",
                f"What is the meaning of {word}?",
            ]
        )
        a = (
            rng.choice([f'"{word.capitalize()}" means: {gloss}.', f"{word.capitalize()}: {gloss}."])
            if not q.startswith("What is a")
            or gloss.split()[0] not in ("a", "an", "the", "any", "someone", "something", "one")
            else f"A {word} is {gloss}."
        )
    else:
        q = rng.choice(
            [
                f'What does "{word}" mean?',
                f"What does {word} mean?",
                f"Define {word}.",
                f"Explain the word {word}.",
                f"What is the meaning of {word}?",
            ]
        )
        a = f'"{word.capitalize()}" means: {"to " if pos == "verb" else ""}{gloss}.'
    return polish(q), f'The user asks about the word "{word}". It is {"an" if pos[0] == "a" else "a"} {pos}.', polish(a)


def unknown(rng, words):
    x, y = rng.choice(words["rare"]), rng.choice(words["rare"])
    q = rng.choice(
        [
            f"What is the {x} of {y}?",
            f"Who discovered the {x}?",
            f"Explain {x} in detail.",
            f"When was the {x} of {y} built?",
            f"Why is {x} related to {y}?",
            f"What do you think about {x}?",
            f"How does {x} work?",
            f"What is {x}?",
        ]
    )
    a = (
        rng.choice(
            [
                "I am sorry, I do not know that.",
                "I do not know much about that.",
                "That is too hard for me.",
                "I do not know the answer.",
            ]
        )
        + " "
        + rng.choice(
            [
                "I am only a very small model.",
                "I am a very small model and know only simple things.",
                "You can ask me for a story, a poem or a simple fact.",
            ]
        )
    )
    return q, f"The user asks about {x}. I do not know enough about it, so I should say so.", a


def fact(rng, words):
    group = rng.choice(("why", "how", "what", "what", "self"))
    q, a = rng.choice(FACTS[group])
    slots = {"name": rng.choice(stories.SHE + stories.HE)}
    q = say(q, rng, slots)
    if rng.random() < 0.15:
        q = rng.choice(["Please tell me: ", "Can you tell me: ", "I have a question. ", "Tell me, "]) + q
    if rng.random() < 0.1:
        q = q.rstrip("?")
    subject = (
        q[0].lower() + q[1:]
        if q.split()[0] in ("What", "Why", "How", "Who", "Where", "When", "Is", "Can", "Do", "Are")
        else q
    )
    return (
        q,
        rng.choice(
            [
                f"The user asks: {q} I know this one.",
                "This is a simple question. I will answer in one or two sentences.",
                f"The question is: {subject} I will answer it clearly.",
            ]
        ),
        say(a, rng, slots),
    )


def talk(rng, words):
    q, a = rng.choice(FACTS["talk"])
    slots = {"name": rng.choice(stories.SHE + stories.HE)}
    return (
        say(q, rng, slots),
        rng.choice(
            [
                "The user is talking to me. I will answer in a friendly way.",
                "This is small talk. A short, kind answer is best.",
            ]
        ),
        say(a, rng, slots),
    )


def code(rng, words):
    q, a = rng.choice(FACTS["code"])
    return (
        say(q, rng),
        "The user wants a small program. I will keep it short.",
        a.replace("\\\\n", "\0").replace("\\n", "\n").replace("\0", "\\n"),
    )


def joke(rng, words):
    kind = rng.choice(("joke", "riddle"))
    q = rng.choice(
        [
            f"Tell me a {kind}.",
            f"Do you know a {kind}?",
            f"Can you tell me a {kind}?",
            f"A {kind}, please.",
            f"I want to hear a {kind}.",
        ]
    )
    return q, f"The user wants a {kind}. I will choose a short one.", rng.choice(FACTS[kind])[1]


def person_facts(rng):
    name = rng.choice(stories.SHE + stories.HE)
    return {
        "name": name,
        "age": rng.randint(3, 90),
        "city": rng.choice(LISTS["city"]),
        "job": rng.choice(LISTS["job"]),
        "colour": rng.choice(LISTS["colour"]),
    }


def extract(rng, words):
    p = person_facts(rng)
    he = "She" if p["name"] in stories.SHE else "He"
    text = rng.choice(
        [
            "{name} is {age} years old and lives in {city}. {he} works as a {job}.",
            "{name} lives in {city}. {he} is a {job} and is {age} years old.",
            "My friend {name} is a {job} from {city} and {age} years old.",
        ]
    ).format(he=he, **p)
    text = polish(text)
    draw = rng.random()
    if draw < 0.5:
        keys = rng.sample(["name", "age", "city", "job"], rng.randint(2, 4))
        q = rng.choice(
            [
                f"Extract {joined(keys)} as JSON: {text}",
                f"Give me {joined(keys)} from this text as JSON.\n\n{text}",
                f"{text}\n\nReturn {joined(keys)} as JSON.",
            ]
        )
        return q, f"I find {joined([f'{k} {p[k]}' for k in keys])}.", json.dumps({k: p[k] for k in keys})
    key = rng.choice(["age", "city", "job", "name"])
    question = {
        "age": f"How old is {p['name']}?",
        "city": f"Where does {p['name']} live?",
        "job": f"What is {p['name']}'s job?",
        "name": "What is the name of the person?",
    }[key]
    answer = {
        "age": f"{p['name']} is {p['age']} years old.",
        "city": f"{p['name']} lives in {p['city']}.",
        "job": polish(f"{p['name']} is a {p['job']}."),
        "name": f"The name is {p['name']}.",
    }[key]
    return f"{text} {question}", f"The text says it: {answer}", answer


def json_object(rng, words):
    kind, items = rng.choice(list(LISTS.items()))
    n = rng.randint(2, min(4, len(items)))
    picked = rng.sample(items, n)
    key = plural(kind).replace(" ", "_")
    return (
        f"Give me {NUMBERS[n]} {plural(kind)} as a JSON list.",
        f"The user wants a JSON list with {NUMBERS[n]} strings.",
        json.dumps(picked) if rng.random() < 0.7 else json.dumps({key: picked}),
    )


def repeat(rng, words):
    pool = [w for w, _, _ in rng.sample(words["definitions"], 5)] + rng.sample(LISTS["animal"], 2)
    n = rng.randint(1, 5)
    text = " ".join(rng.sample(pool, n))
    draw = rng.random()
    if draw < 0.4:
        return (
            rng.choice([f"Repeat after me: {text}", f'Say "{text}".', f"Write the words: {text}"]),
            "I repeat the words.",
            text,
        )
    if draw < 0.6:
        word = text.split()[0]
        return (
            rng.choice([f"Spell the word {word}.", f"How do you spell {word}?"]),
            f"I spell {word} letter by letter.",
            "-".join(word.upper()),
        )
    if draw < 0.8:
        return f"Write in capital letters: {text}", "I change the letters to capitals.", text.upper()
    items = rng.sample(pool, 3)
    return (
        f"Which word comes first: {joined(items)}?",
        f"The first word is {items[0]}.",
        f'The first word is "{items[0]}".',
    )


def letter(rng, words):
    name, me = rng.sample(stories.SHE + stories.HE, 2)
    topic, body = rng.choice(
        [
            (
                "thank {n} for a gift",
                "thank you very much for the [lovely|beautiful|wonderful] gift. It made me very happy. [I use it every day.|I will always think of you when I see it.]",
            ),
            (
                "invite {n} to a party",
                "I would like to invite you to my [birthday|garden] party on [Saturday|Sunday]. [There will be cake, music and games.|We will eat, dance and play.] Please tell me if you can come.",
            ),
            (
                "say sorry to {n}",
                "I am sorry that I was [late|rude|unkind] yesterday. It was not right of me. [I hope that we can still be friends.|Please forgive me.]",
            ),
            (
                "wish {n} a happy birthday",
                "happy birthday! I wish you [health, joy and good friends|a wonderful day and a good year]. [I hope to see you soon.|Have a big piece of cake for me!]",
            ),
            (
                "tell {n} about a holiday",
                "I am at the sea, and it is [wonderful|very nice] here. [Every day I swim and look for shells.|The sun shines, and I eat ice cream every day.] I wish you were here.",
            ),
            (
                "ask {n} for help",
                "could you please help me on [Friday|Monday]? I have to [move a heavy table|paint my room|clean the garden]. [I will make coffee and cake for us.|It will not take long.]",
            ),
        ]
    )
    q = say(
        "[Write a short letter|Write a letter|Write a short message|Write an email] to " + topic.format(n=name) + ".",
        rng,
    )
    return (
        q,
        f"The user wants a short letter to {name}. I will be friendly and brief.",
        f"Dear {name},\n\n"
        + say(body, rng)
        + "\n\n"
        + say("[Best wishes|Yours|With love|Kind regards]", rng)
        + f",\n{me}",
    )


# How often each kind of question is asked, relative to the others.
TASKS = [
    (sums, 9),
    (word_problem, 4),
    (compare, 3),
    (count_up, 1),
    (capitals, 9),
    (opposite, 5),
    (animal_fact, 10),
    (lists, 7),
    (translate, 5),
    (steps, 5),
    (tips, 5),
    (poem, 9),
    (definition, 14),
    (unknown, 3),
    (fact, 26),
    (talk, 14),
    (code, 3),
    (joke, 4),
    (extract, 7),
    (json_object, 2),
    (repeat, 4),
    (letter, 5),
]
