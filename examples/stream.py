# SPDX-License-Identifier: Apache-2.0
"""stream.py MODEL PROMPT: prints an answer as it comes, then one that follows a JSON schema. Ctrl-C cancels."""
import sys

import glint


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with glint.Engine(sys.argv[1], context=1024) as engine:
        print(f"{engine.info['architecture']} on {engine.info['device']}", file=sys.stderr)
        answer = engine.generate(sys.argv[2], max_tokens=60, temperature=0.7, seed=1)
        for piece in answer:
            print(piece.text, end="", flush=True)
        print(f"\n{answer.finish.n_predicted} tokens, {answer.finish.reason}", file=sys.stderr)
        schema = {"type": "object", "properties": {"mood": {"enum": ["happy", "sad"]}}, "required": ["mood"],
                  "additionalProperties": False}
        print(engine.generate(sys.argv[2], schema=schema, max_tokens=60).text)


if __name__ == "__main__":
    try:
        main()
    except glint.Error as error:
        sys.exit(str(error))
