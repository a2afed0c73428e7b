# SPDX-License-Identifier: Apache-2.0
"""Whole training documents: stories as plain text, and chats in the form of GLM's chat template. Called by make_demo_model.py.

A document is text that holds the special tokens of the chat template as they are. It ends with the token that ends an
answer. The same generator state gives the same document.
"""

import json

from . import stories
from .grammar import polish, say
from .tables import LISTS, TABLES
from .tasks import TASKS, plural, joined

START = "[gMASK]<sop>"
TOOL_HEAD = "\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with function signatures within <tools></tools> XML tags:\n<tools>\n"
TOOL_TAIL = (
    "</tools>\n\nFor each function call, output the function name and arguments within the following XML format:\n"
    "<tool_call>{function-name}<arg_key>{arg-key-1}</arg_key><arg_value>{arg-value-1}</arg_value><arg_key>{arg-key-2}</arg_key><arg_value>{arg-value-2}</arg_value>...</tool_call>"
)
SYSTEMS = [
    "You are a helpful assistant.",
    "You are a friendly assistant.",
    "Answer in short, simple sentences.",
    "You are a kind storyteller.",
    "You are a helpful assistant. Keep your answers short.",
    "Be brief.",
    "You are a teacher for children.",
]


def story_request(rng, story, named=False):
    """(what the user asks, what the model thinks): a request that names some of the story's facts."""
    s = story.slots
    subject = rng.choice(
        [
            "a {kind}",
            "a {kind}",
            "a {adj} {kind}",
            "a {kind} named {N}",
            "a {kind} and a {fkind}",
            "{N} the {kind}",
            "a {kind} named {N} and a {fkind} named {F}",
            "a {kind} called {N}",
        ]
    )
    if named:
        subject = rng.choice(
            [
                "a {kind} named {N} and a {fkind} named {F}",
                "{N} the {kind} and {F} the {fkind}",
                "a {kind} called {N} and {his} friend {F} the {fkind}",
            ]
        )
    elif rng.random() < 0.2:
        subject = story.about
    elif rng.random() < 0.2:
        subject += (
            " and " + rng.choice([story.about, story.about, "a {obj}"])
            if "obj}" in "".join(map(str, story.plot["stages"]))
            else ""
        )
    elif rng.random() < 0.12:
        subject += " who [wants to learn something|goes on an adventure|helps others|finds a friend]"
    x = say("about " + subject, rng, s)[len("about ") :]
    q = say(
        rng.choice(
            [
                "[Tell|Tell|Write] me a [short |little |nice |bedtime |]story about {x}.",
                "Write a [short |little |children's |bedtime |]story about {x}.",
                "[Can|Could] you [tell|write] me a story about {x}?",
                "[Please tell me|I want to hear|I would like] a story about {x}.",
                "A story about {x}, please.",
                "Story about {x}",
                "Make up a story about {x}.",
            ]
        ),
        rng,
        {"x": x},
    )
    if not named and rng.random() < 0.08:
        q, x = (
            rng.choice(
                [
                    "Tell me a story.",
                    "Tell me a story!",
                    "Write a short story.",
                    "Can you tell me a story?",
                    "I want to hear a story.",
                    "Tell me a bedtime story.",
                ]
            ),
            "anything",
        )
    thought = rng.choice(
        [
            "The user wants a story about {x}. I will write about {N} the {kind} and {F} the {fkind}. It should end well.",
            "I need a short story about {x}. Idea: {sum}",
            "A story about {x}. My hero is {N}, a {adj} {kind}. {sum}",
            "The user asks for a story about {x}. I will keep it short and friendly.",
            "Plan: {sum} I will tell it in simple words.",
        ]
    )
    return q, polish(thought.format(x=x, sum=story.summary, **{k: s[k] for k in ("N", "kind", "F", "fkind", "adj")}))


def turn(question, thought, text, thinking):
    """One user turn and its answer, with the thought shown or the thinking closed at once."""
    return f"<|user|>{question}<|assistant|>" + (f"<think>{thought}</think>" if thinking else "</think>") + text


def plain_variation(rng, question):
    draw = rng.random()
    if draw < 0.05:
        return question[0].lower() + question[1:]
    if draw < 0.09:
        return (
            "Please " + question[0].lower() + question[1:]
            if question.split()[0] in ("Tell", "Write", "Give", "Name", "List", "Explain", "Define")
            else question
        )
    return question.rstrip(".") if draw < 0.13 else question


def story_chat(rng, words):
    # Invented names only where the request gives them: on its own the model should choose real ones.
    invented = rng.random() < 0.15
    story = stories.Story(rng, words, invented=invented)
    question, thought = story_request(rng, story, invented)
    text = story.text
    if rng.random() < 0.12:
        text += "\n\n" + rng.choice(["The moral: ", "And the moral of the story: "]) + story.moral
        question = question.rstrip(".?!") + rng.choice(
            [" with a moral.", ". It should have a moral.", " that teaches something."]
        )
    if rng.random() < 0.1:
        text = f"**{story.title}**\n\n" + text
        question = question + rng.choice([" Give it a title.", " With a title."])
    turns = [(plain_variation(rng, question), thought, text)]
    draw = rng.random()
    if draw < 0.3:
        for q, a in rng.sample(story.qa, min(len(story.qa), rng.choice((1, 1, 2, 3)))):
            turns.append((q, f"I look at my story. {a}", a))
    elif draw < 0.38:
        turns.append(
            (
                rng.choice(
                    ["What is the moral of the story?", "What can we learn from it?", "What does the story teach us?"]
                ),
                "I think about what the story teaches.",
                story.moral,
            )
        )
    elif draw < 0.45:
        turns.append(
            (
                rng.choice(["Summarise the story in one sentence.", "What was the story about?", "Give me a summary."]),
                "I sum up the main point.",
                story.summary,
            )
        )
    elif draw < 0.52:
        other = stories.Story(rng, words)
        q, t = story_request(rng, other)
        turns.append((rng.choice(["Another one, please.", "Tell me another story.", "One more!", q]), t, other.text))
    elif draw < 0.58:
        turns.append(
            (
                rng.choice(["Thank you!", "Thanks, that was nice.", "I liked it.", "That was a nice story."]),
                "The user liked the story. I will thank them.",
                rng.choice(
                    [
                        "You are welcome! Would you like another one?",
                        "I am glad you liked it!",
                        "Thank you! Shall I tell you one more?",
                    ]
                ),
            )
        )
    return turns


def reading_chat(rng, words):
    """A story given by the user, and a task about it."""
    story = stories.Story(rng, words, invented=rng.random() < 0.15)
    draw = rng.random()
    if draw < 0.55:
        q, a = rng.choice(story.qa)
        return [
            (
                rng.choice(
                    [
                        f"{story.text}\n\n{q}",
                        f"Read this story and answer the question.\n\n{story.text}\n\nQuestion: {q}",
                    ]
                ),
                f"I look in the text. {a}",
                a,
            )
        ]
    if draw < 0.8:
        return [
            (
                rng.choice(
                    ["Summarise this story in one sentence:\n\n", "Summarise:\n\n", "What is this text about?\n\n"]
                )
                + story.text,
                "I read the text and look for the main point.",
                story.summary,
            )
        ]
    if draw < 0.84:
        s = story.slots
        return [
            (
                "Answer with JSON that has the keys name, kind and friend:\n\n" + story.text,
                "I look for the names in the text.",
                json.dumps({"name": s["N"], "kind": s["kind"], "friend": s["F"]}),
            )
        ]
    if draw < 0.87:
        return [
            ("Give this story a title:\n\n" + story.text, "A title names who or what the story is about.", story.title)
        ]
    if draw < 0.93:
        return [
            ("What is the moral of this story?\n\n" + story.text, "I think about what the story teaches.", story.moral)
        ]
    cut = rng.randint(1, 3)
    return [
        (
            rng.choice(["Continue this story: ", "Finish the story: ", "How does this story go on? "])
            + " ".join(story.paragraphs[:cut]),
            f"The story is about {story.slots['N']}. I will continue it. {story.summary}",
            " ".join(story.paragraphs[cut:]),
        )
    ]


def task_chat(rng, words):
    turns = []
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3))):
        task = rng.choices([t for t, _ in TASKS], [w for _, w in TASKS])[0]
        question, thought, text = task(rng, words)
        turns.append((plain_variation(rng, question) if rng.random() < 0.6 else question, thought, text))
    return turns


def name_chat(rng, words):
    """The user says something about themselves and asks for it later."""
    name = rng.choice(stories.SHE + stories.HE)
    key, value, q = rng.choice(
        [
            ("name", name, "What is my name?"),
            ("colour", rng.choice(LISTS["colour"]), "What is my favourite colour?"),
            ("animal", rng.choice(LISTS["animal"]), "What is my favourite animal?"),
            ("city", rng.choice(LISTS["city"]), "Where do I live?"),
        ]
    )
    told, reply, said = {
        "name": (f"[My name is|I am|I'm] {value}.", f"[Nice to meet you|Hello], {value}!", f"Your name is {value}."),
        "colour": (
            f"My favourite colour is {value}.",
            f"{value.capitalize()} is a [nice|beautiful] colour!",
            f"Your favourite colour is {value}.",
        ),
        "animal": (
            f"My favourite animal is the {value}.",
            f"The {value} is a [nice|great] animal!",
            f"Your favourite animal is the {value}.",
        ),
        "city": (f"I live in {value}.", f"{value} is a [nice|great] city!", f"You live in {value}."),
    }[key]
    turns = [(say(told, rng), "The user tells me something. I will answer kindly.", say(reply, rng))]
    turns += task_chat(rng, words)[: rng.choice((0, 1, 1))]
    return turns + [(q, f"The user told me this before. {said}", said)]


TOOLS = [
    (
        "get_weather",
        "Get the weather of a city",
        "city",
        lambda r: r.choice(LISTS["city"]),
        ["What is the weather in {x}?", "How is the weather in {x} today?", "Weather in {x}?", "Is it raining in {x}?"],
        lambda r, x: (
            json.dumps(
                {"temp": (t := r.randint(-5, 32)), "sky": (s := r.choice(["sunny", "cloudy", "rainy", "windy"]))}
            ),
            f"It is {s} in {x}, and the temperature is {t} degrees.",
        ),
    ),
    (
        "get_time",
        "Get the time in a city",
        "city",
        lambda r: r.choice(LISTS["city"]),
        ["What time is it in {x}?", "Tell me the time in {x}."],
        lambda r, x: ((t := f"{r.randint(0, 23):02d}:{r.randint(0, 59):02d}"), f"It is {t} in {x}."),
    ),
    (
        "search",
        "Search the web",
        "query",
        lambda r: r.choice([k for k, _ in TABLES["animals"]]) + r.choice(["", " food", " pictures"]),
        ["Search for {x}.", "Look up {x}.", "Find something about {x}."],
        lambda r, x: (json.dumps({"results": (n := r.randint(2, 90))}), f"I found {n} results for {x}."),
    ),
    (
        "calculate",
        "Calculate an expression",
        "expression",
        lambda r: f"{r.randint(11, 999)} {r.choice('+-*')} {r.randint(11, 999)}",
        ["Calculate {x}.", "What is {x}?", "Please compute {x}."],
        lambda r, x: (str(eval(x)), f"{x} = {eval(x)}"),
    ),
]


def tool_chat(rng, words):
    tools = rng.sample(TOOLS, rng.choice((1, 1, 2)))
    name, about, key, draw, questions, run = rng.choice(tools)
    x = draw(rng)
    spec = "".join(
        json.dumps(
            {
                "type": "function",
                "function": {
                    "name": t[0],
                    "description": t[1],
                    "parameters": {"type": "object", "properties": {t[2]: {"type": "string"}}, "required": [t[2]]},
                },
            }
        )
        + "\n"
        for t in tools
    )
    thinking = rng.random() < 0.5
    head = START + "<|system|>" + TOOL_HEAD + spec + TOOL_TAIL
    if rng.random() < 0.2:
        task = rng.choice([t for t, _ in TASKS if t.__name__ in ("talk", "fact", "joke", "poem")])
        question, thought, text = task(rng, words)
        return head + turn(question, thought + " I need no function for it.", text, thinking) + "<|user|>"
    result, text = run(rng, x)
    call = f"<tool_call>{name}<arg_key>{key}</arg_key><arg_value>{x}</arg_value></tool_call><|observation|>"
    return (
        head
        + turn(rng.choice(questions).format(x=x), f"I should call {name} with {key} {x}.", call, thinking)
        + f"<tool_response>{result}</tool_response><|assistant|>"
        + ("<think>The function gave me the result.</think>" if thinking else "</think>")
        + text
        + "<|user|>"
    )


def document(rng, words):
    """One training document of a random kind, as text with the chat template's special tokens in it."""
    draw = rng.random()
    if draw < 0.12:
        return (START if rng.random() < 0.5 else "") + stories.Story(rng, words).text + "<|endoftext|>"
    if draw < 0.15:
        return tool_chat(rng, words)
    if draw < 0.45:
        turns = story_chat(rng, words)
    elif draw < 0.53:
        turns = reading_chat(rng, words)
    elif draw < 0.56:
        turns = name_chat(rng, words)
    else:
        turns = task_chat(rng, words)
    system = "<|system|>" + rng.choice(SYSTEMS) if rng.random() < 0.12 else ""
    thinking = rng.random() < 0.5
    # The chat template drops the thoughts of earlier turns, so only the last turn shows its own.
    body = "".join(turn(*t, thinking and i == len(turns) - 1) for i, t in enumerate(turns))
    return START + system + body + rng.choice(["<|user|>", "<|user|>", "<|endoftext|>"])
