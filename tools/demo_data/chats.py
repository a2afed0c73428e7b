# SPDX-License-Identifier: Apache-2.0
"""Documents that the demo model is trained on: plain stories and chats about stories, facts and small sums, in
GLM-4.7-Flash's chat form. `document(rng)` gives one, always the same for the same generator state."""
from pathlib import Path

from .grammar import say
from .stories import PET, HE, SHE, Story

# Kinds and things beyond the stories' own lists, so that the model learns to carry a rare word from request to answer.
WORDS = {
    "animal": "alpaca armadillo bat bison camel canary cheetah chipmunk cockatoo coyote dove eagle eel falcon ferret flamingo gecko gorilla hare heron hippo jackal jaguar lemur leopard llama lobster lynx magpie marmot moose newt ocelot ostrich peacock pelican pheasant pony puffin quail reindeer robin salmon sloth stork swan toad trout turkey vulture walrus weasel whale wombat yak".split(),
    "person": "acrobat actor archer barber builder captain chemist clown dancer detective diver engineer explorer farmhand fiddler gardener glazier guard hunter inventor juggler lawyer magician mason mayor nurse optician pilot plumber poet potter printer ranger sculptor singer smith soldier student tutor waiter weaver writer".split(),
    "thing": "anchor arrow axe banner barrel bottle bowl bracelet broom brush button candle cane card carpet chest comb compass crown crystal cushion dice fan fork globe guitar hammer harp helmet horn jar jug ladder letter medal needle pan pillow pipe plate pot puppet purse rope saddle sail shovel stamp stool sword telescope thimble tray trumpet vase violin wagon wheel".split(),
}
SYSTEMS = ["You are a helpful assistant.", "You are a friendly story teller.", "Answer in simple words.", "Be brief.", "You are glint's demo model."]


def read_facts():
    facts = {}
    for line in (Path(__file__).parent / "facts.txt").read_text().splitlines():
        if line.startswith("== "):
            section = facts.setdefault(line[3:], [])
        elif line and not line.startswith("#"):
            section.append(tuple(part.strip() for part in line.split("||")))
    return facts


FACTS = read_facts()


def turn(rng, question, answer, thought):
    """One user turn and its answer; half of the answers begin inside an opened thinking tag, as the template leaves it."""
    think = f"<think>{thought}</think>" if rng.random() < 0.5 else "</think>"
    return f"<|user|>{question}<|assistant|>{think}{answer}"


def story_request(rng, story):
    slots = dict(story.slots, about=story.about)
    question = say(rng.choice([
        "[Tell|Write] me a [short |little |]story about a {kind}.", "[Tell|Write] [me |]a story about {about}.",
        "[Can you tell|Please tell|Tell] me a [short |]story [about a {kind} called {N}|about {N} the {kind}].",
        "[Tell|Write] a story about a {kind} and a {fkind}.", "Tell me a story.", "I would like to hear a story about a {kind}.",
        "Write a short story with a {obj} in it."]), rng, slots)
    thought = say("The user wants a story[ about a {kind}|]. I will write about {N} the {kind}" +
                  rng.choice([".", " and {F} the {fkind}.", ": " + story.summary]), rng, slots)
    answer = story.text
    if rng.random() < 0.25:
        answer = f"{story.title}\n\n{answer}"
    document = turn(rng, question, answer, thought)
    draw = rng.random()
    if draw < 0.3:
        asked, told = rng.choice(story.qa)
        document += turn(rng, asked, told, "The user asks about the story. " + told)
    elif draw < 0.4:
        document += turn(rng, rng.choice(["What is the moral of the story?", "What can we learn from it?"]), story.moral,
                         "I think about what the story teaches.")
    elif draw < 0.5:
        document += turn(rng, rng.choice(["Thank you!", "Thanks, I liked it.", "That was nice."]),
                         rng.choice(["You are welcome! I am glad that you liked it.", "I am happy that you liked the story."]),
                         "The user is pleased.")
    return document


def story_question(rng, story):
    asked, told = rng.choice(story.qa)
    kind = rng.random()
    if kind < 0.5:
        question, answer, thought = f"{story.text}\n\n{asked}", told, "I look for the answer in the text."
    elif kind < 0.75:
        question = rng.choice(["Summarize this story in one sentence:", "What is this story about?", "Give a short summary."]) + f"\n\n{story.text}"
        answer, thought = story.summary, "I need one sentence that tells what happens."
    elif kind < 0.88:
        question = "Give this story a title:\n\n" + story.text
        answer, thought = story.title, "A title names who or what the story is about."
    else:
        question = "Read the story and answer with JSON that has the keys name, kind and friend:\n\n" + story.text
        slots = story.slots
        answer = f'{{"name": "{slots["N"]}", "kind": "{slots["kind"]}", "friend": "{slots["F"]}"}}'
        thought = "I look for the names in the text."
    return turn(rng, question, answer, thought)


def fact(rng):
    section = rng.choices(list(FACTS), weights=[max(4, len(lines)) for lines in FACTS.values()])[0]
    line = rng.choice(FACTS[section])
    slots = {"name": rng.choice(SHE + HE + PET)}
    if section in ("joke", "riddle") and len(line) == 1 or line[0] in ("joke", "riddle"):
        kind = line[0] if line[0] in ("joke", "riddle") else section
        question = rng.choice([f"Tell me a {kind}.", f"Do you know a {kind}?", f"Can you tell me a {kind}?"])
        return turn(rng, question, say(line[-1], rng, slots), f"The user wants a {kind}.")
    question = say(line[0], rng, slots)
    # Braces in code are no slots.
    answer = line[1] if section == "code" else say(line[1], rng, slots)
    return turn(rng, question, answer.replace("\\n", "\n"), rng.choice(["I know this.", "This is a simple question.", "I answer in simple words."]))


def small_sum(rng):
    a, b = rng.randrange(21), rng.randrange(21)
    if rng.random() < 0.5:
        question, result, sign = rng.choice([f"What is {a} + {b}?", f"How much is {a} plus {b}?"]), a + b, "+"
    else:
        a, b = max(a, b), min(a, b)
        question, result, sign = rng.choice([f"What is {a} - {b}?", f"How much is {a} minus {b}?"]), a - b, "-"
    return turn(rng, question, rng.choice([f"{a} {sign} {b} = {result}.", f"The answer is {result}."]), f"{a} {sign} {b} is {result}.")


def document(rng):
    draw = rng.random()
    if draw < 0.42:
        return Story(rng, WORDS).text + "<|endoftext|>"
    system = f"<|system|>{rng.choice(SYSTEMS)}" if rng.random() < 0.15 else ""
    if draw < 0.70:
        body = story_request(rng, Story(rng, WORDS))
    elif draw < 0.80:
        body = story_question(rng, Story(rng, WORDS))
    else:
        body = "".join(fact(rng) if rng.random() < 0.85 else small_sum(rng) for _ in range(rng.choice([1, 1, 2, 3])))
    return f"[gMASK]<sop>{system}{body}<|user|>"
