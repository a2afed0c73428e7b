# SPDX-License-Identifier: Apache-2.0
"""Texts for tests/integration/web_test.py: an answer with all that Markdown holds, one that attacks whoever shows it, a PDF."""
import json

TOUR = r"""Here is a **short tour** of what an answer may hold, with `inline code`, a [link](https://example.org/a?b=1&c=2) and *emphasis*.

## Code

```python
def fibonacci(n: int) -> list[int]:
    '''The first n numbers.'''
    a, b = 0, 1
    result = []
    while len(result) < n:
        result.append(a)  # grows
        a, b = b, a + b
    return result
```

## Maths

Euler's identity $e^{i\pi} + 1 = 0$ is inline; it costs $5 or $10, which is money. The Gaussian integral:

$$\int_{-\infty}^{\infty} e^{-x^2}\,dx = \sqrt{\pi}$$

and \(\alpha + \beta\) as well as

\[ \begin{pmatrix} a & b \\ c & d \end{pmatrix} \]

## Lists and a table

1. First
2. Second
   - nested
   - [x] done
   - [ ] not done

| Format | Bits | Size |
|:-------|-----:|-----:|
| Q4_K   | 4.5  | 11 GiB |
| Q8_0   | 8.5  | 20 GiB |

> A quotation that runs over a line or two, to see how it stands.

H<sub>2</sub>O and <b>bold</b> but <span style="color:red">no span</span>.
"""

HOSTILE = r"""<script>window.hacked = 1</script>
<img src=x onerror="window.hacked = 2">
<svg onload="window.hacked=3"><a href="javascript:window.hacked=4">x</a></svg>
<iframe srcdoc="<script>parent.hacked=5</script>"></iframe>
<style>body{display:none}</style><form action="https://evil.example/"><input name=a></form>
<a href="https://evil.example" onmouseover="window.hacked=6" style="position:fixed;inset:0">cover</a>
[click](javascript:window.hacked=7) [data](data:text/html,<script>alert(1)</script>) ![pixel](https://evil.example/pixel.png?secret) [ok](https://example.org)

<https://example.org/auto> <javascript:window.hacked=8>

```html"><img/src=x/onerror=window.hacked=9>
<script>window.hacked=10</script>
```

$\href{javascript:window.hacked=11}{x}$ $\htmlData{x=y}{z}$ $\includegraphics{https://evil.example/i.png}$ $<img src=x onerror=window.hacked=12>$

<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=window.hacked=13&gt;">

&lt;script&gt;window.hacked=14&lt;/script&gt; <b><u>fine</b></u>

a-very-long-word-without-a-place-to-break-it-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa

[ref]: javascript:window.hacked=15
[ref] ![a][ref] [x](https://example.org "\" onmouseover=window.hacked=16 \"")
"""

# One page that says "Hello PDF".
PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>endobj
4 0 obj<</Length 44>>stream
BT /F1 24 Tf 50 100 Td (Hello PDF) Tj ET
endstream endobj
5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
trailer<</Root 1 0 R>>
%%EOF
"""


def conversation_file(*conversations):
    """What the page exports, of (title, answer)s. The answer stands everywhere where a model's or a stranger's words go."""
    return {"format": "glint-conversations", "version": 1, "conversations": [
        {"id": "c", "title": title, "isNamed": True, "created": 1, "updated": 2, "chosen": {"__proto__": "x"}, "settings": {"schema": 5},
         "messages": [
             {"id": "1", "parent": "", "role": "user", "content": "Show me everything.", "created": 1,
              "attachments": [{"name": "<img src=x onerror='window.hacked=20'>", "text": answer}]},
             {"id": "2", "parent": "1", "role": "assistant", "content": answer, "reasoning": answer, "created": 2, "ending": "done",
              "model": "<img src=x onerror='window.hacked=21'>",
              "timings": {"cached": 12, "prompt": 100, "promptMs": 50, "predicted": 412, "predictedMs": 4000, "firstTokenMs": 320},
              **({} if title == "A tour" else {
                  "calls": [{"id": "1", "name": "<img src=x onerror='window.hacked=22'>", "arguments": json.dumps({"a": answer})}],
                  "error": "<img src=x onerror='window.hacked=23'>"})}]}
        for title, answer in conversations]}
