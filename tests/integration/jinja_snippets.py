# SPDX-License-Identifier: Apache-2.0
"""Template snippets, one construct each, that jinja_differential_test.py renders with Jinja2 and with glint. VARIABLES
are what they can read. REFUSED are those that Jinja2 renders and glint refuses on purpose."""

VARIABLES = {
    "n": 3, "zero": 0, "neg": -7, "f": 2.5, "big": 9007199254740993, "t": True, "no": False, "nil": None,
    "s": "Hello, World", "u": "ÄöÜß€ 日本語 🙂 é", "empty": "", "spaces": "  \t x y \n ", "lines": "a\nb\r\nc\n\nd",
    "xs": [3, 1, 2], "words": ["banana", "Apple", "cherry", "apple"], "nested": [[1, 2], [3, [4, 5]], []],
    "d": {"b": 1, "a": {"x": [1, 2, {"y": "z"}]}, "items": "shadow", "get": 5, "_p": 6},
    "people": [{"name": "Bo", "age": 30, "city": "X"}, {"name": "al", "age": 25, "city": "y"},
               {"name": "Cy", "age": 30, "city": "x", "tags": ["q"]}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
    "markers": "<|user|> & \"q\" 'r' \\ /", "json_text": '{"k": [1, 2.5, null, true, "x"]}', "digits": "42", "hex": "0x1F",
}

EXPRESSIONS = """
1 + 2 * 3
(1 + 2) * 3
7 // 2
-7 // 2
7 // -2
-7 % 3
7 % -3
7 / 2
6 / 3
2 ** 10
2 ** -1
-2 ** 2
2 ** 3 ** 2
2 ** 0.5
1 / 0
1 // 0
1 % 0
1.5 // 0.4
-1.5 % 0.4
7.5 // 2
-7.5 // 2
0.1 + 0.2
1e16
1e15
123456789.125
1e-5
0.0001
1e22
-0.0
3.0
2.50
1_000
0x1f
0o17
0b101
1.5e3
1e3
100 * 1.1
big
big + 1
big * 2
big / 3
-n
+n
- -n
-f
-t
+t
t + 1
t * 3
-s
+s
1 + s
s + 1
s + s
s * 2
2 * s
s * -1
s * f
xs + [4]
xs * 2
2 * xs
(1, 2) + (3,)
(1,)
()
(1, 2)
[]
[1, 'a', none, true, 2.0]
[1, 2,]
{}
{'a': 1, 'b': [1]}
{'a': 1, 'a': 2}
{1: 'x', true: 'y', 1.0: 'z'}
{none: 1}
{(1, 2): 3}
{[1]: 2}
xs + s
xs - xs
d + d
s - s
s ~ n ~ f ~ nil ~ t ~ xs
1 ~ 2 + 3
1 + 2 ~ 3
'a' ~ 'b' * 2
n == 3
n == 3.0
t == 1
s == 'Hello, World'
xs == [3, 1, 2]
xs == (3, 1, 2)
{'a': 1} == {'a': 1.0}
nil == none
nil == false
missing == missing
missing == nil
missing != 1
1 < 2
1 < 2 < 3
1 < 3 < 2
1 < 2 > 0
3 > 2 >= 2 != 1
n < 4.5
'a' < 'b'
'B' < 'a'
[1, 2] < [1, 3]
[1, 2] < [1, 2, 0]
(1, 'a') < (1, 'b')
1 < 'a'
nil < 1
d < d
t < 2
missing < 1
1 in xs
9 in xs
9 not in xs
'ell' in s
'' in s
1 in s
'a' in d
'zz' in d
[1] in d
nil in [none]
1 in 5
1 in nil
'x' in missing
1 in [true]
1.0 in xs
[1, 2] in nested
not t
not not n
not xs
not 1 == 2
t and n
no and n
t or n
no or n
'' or 'x'
xs and 'y'
no or nil
t and no or 'z'
t or 1/0
no and 1/0
'a' if t else 'b'
'a' if no else 'b'
'a' if no
('a' if no) is defined
'a' if no else 'b' if no else 'c'
1 if t else 1/0
(1 if no else 2) + 1
xs[0]
xs[-1]
xs[5]
xs[1.0]
xs['0']
xs[t]
xs[nil]
xs[1:]
xs[:2]
xs[:-1]
xs[::-1]
xs[::2]
xs[5:]
xs[-2:]
xs[2:0:-1]
xs[::0]
xs['a':]
xs[1:2:1]
xs[n:]
s[0]
s[-1]
s[20]
s[1:4]
s[::-1]
s[::3]
s[-5:-1]
s[5:2]
s[10:2:-2]
u[0]
u[4]
u[8:11]
u[::-1]
u[-1]
(1, 2, 3)[1:]
(1, 2, 3)[1]
d[1:]
n[1:]
missing[1:]
d.b
d['b']
d.a.x
d.a.x[2].y
d['a']['x'][0]
d.items is callable
d['items']
d.get is callable
d['get']
d._p
d.zz
d.zz.y
d['zz']
d['zz']['y']
d[1]
d.keys is defined
d['keys'] is defined
s.upper is callable
s.nothing
s['upper'] is callable
nil.x
nil['x']
n.x
missing
missing.x
missing['x']
missing()
missing + 1
1 + missing
missing ~ 'x'
missing * 2
-missing
missing | length
missing | list
missing in xs
xs.0
xs.2
nested.1.1.0
d.a.x.0
d.__class__
d.__class__.__name__
s.__class__ is defined
s.__len__()
s.format.__globals__
xs.append
xs.append(1)
xs.pop is defined
d.update({'z': 1})
d.pop('b')
d.setdefault is defined
d.clear()
xs.sort()
'a' 'b' "c"
'a\\nb'
'\\x41\\u00e9\\U0001F642'
'\\101\\7'
'\\q\\é'
"it's"
'say "x"'
'\\'q\\''
'tab\\there'
'a\\
b'
'\\x4'
true
True
false
False
none
None
nil
[true, None]
1,2
1,
s is string
n is string
s is not string
xs is iterable
s is iterable
n is iterable
d is mapping
xs is mapping
xs is sequence
s is sequence
d is sequence
n is sequence
(1,2) is sequence
range(3) is sequence
range(3) is iterable
d.items() is sequence
missing is iterable
missing is sequence
missing is mapping
missing is string
missing is none
missing is callable
missing is defined
missing is undefined
d.zz is defined
d.b is defined
nil is none
nil is defined
n is none
n is number
f is number
t is number
s is number
n is integer
t is integer
f is integer
f is float
n is float
t is boolean
n is boolean
t is true
no is false
n is true
1 is true
n is odd
n is even
f is odd
s is odd
zero is even
9 is divisibleby 3
9 is divisibleby(2)
9 is divisibleby 0
'abc' is lower
'ABC' is upper
'aBc' is lower
'123' is upper
n is lower
n is eq 3
n is equalto(3)
n is ne 4
n is lt 4
n is gt 4
n is ge 3
n is le 2
n is greaterthan 1
n is lessthan 1
n is sameas 3
nil is sameas none
t is sameas true
t is sameas 1
1 is in xs
'x' is in 'xyz'
n is in([1, 2])
'upper' is filter
'nope' is filter
'odd' is test
'nope' is test
s is escaped
(s | safe) is escaped
range is callable
s is callable
n is not odd and t
n is odd or no
not n is odd
n is nosuchtest
n is divisibleby
n is odd is true
s | upper
s | lower
s | title
s | capitalize
'hello wORLD-foo (bar)' | title
"it's a test" | title
'ßtraße' | title
'ǆ' | title
'ß' | upper
'ŉ' | upper
'ﬁ' | upper
'İ' | lower
'ΑΣ' | lower
'ΑΣ Σ ΣΑ' | lower
u | upper
u | lower
u | capitalize
'ßa' | capitalize
nil | upper
n | upper
xs | upper
spaces | trim
'xxaxx' | trim('x')
'xyaxy' | trim('yx')
n | trim
'  ' | trim
s | replace('l', 'L')
s | replace('l', 'L', 1)
s | replace('', '-')
s | replace('', '-', 3)
'' | replace('', '-')
s | replace('o', 5)
n | replace('3', 'x')
s | replace('zz', 'y')
u | replace('日', 'X')
s | replace
s | length
u | length
xs | length
d | length
n | length
nil | length
(xs | map('string')) | length
range(5) | length
s | count
xs | first
xs | last
[] | first
[] | last
s | first
s | last
d | first
d | last
n | first
(xs | map('string')) | first
(xs | map('string')) | last
d.items() | last
range(4) | last
xs | list
s | list
u | list
d | list
d.items() | list
d.keys() | list
d.values() | list
d.items()
d.keys()
{'a': 1}.values()
range(3)
range(1, 7, 2)
range(5, 0, -2)
range(3) | list
range(5, 0, -2) | list
range(0)
range(2, 5)[1]
range(2, 5)[-1]
range(2, 5)[9]
range(0, 3, 0)
range('a')
range(100001)
range(-1, 100000)
range()
2 in range(3)
range(3) == range(0, 3, 1)
xs | join
xs | join(', ')
xs | join(1)
words | join('|')
people | join(',', attribute='name')
people | map(attribute='name') | join(',')
[1, none, 'x', 2.0, true, [1]] | join('-')
s | join('.')
d | join(',')
missing | join(',')
n | join
xs | sort
xs | sort(reverse=true)
words | sort
words | sort(case_sensitive=true)
words | sort(reverse=true, case_sensitive=true)
people | sort(attribute='age') | map(attribute='name') | list
people | sort(attribute='age,name') | map(attribute='name') | list
people | sort(attribute='name', reverse=true) | map(attribute='name') | list
[1, 'a'] | sort
[[2], [1, 5], [1]] | sort
d | sort
s | sort
xs | unique | list
words | unique | list
words | unique(true) | list
people | unique(attribute='age') | map(attribute='name') | list
[1, 1.0, true, 2] | unique | list
[[1]] | unique | list
xs | min
xs | max
words | min
words | max
words | max(case_sensitive=true)
people | max(attribute='age')
[] | max
[1, 'a'] | max
xs | sum
people | sum(attribute='age')
xs | sum(start=10)
[1.5, 2] | sum
words | sum
words | sum(start='')
[[1], [2]] | sum(start=[])
xs | reverse | list
s | reverse
u | reverse
d | reverse | list
(xs | map('string')) | reverse | list
n | reverse
d | dictsort
{'B': 1, 'a': 2} | dictsort
{'B': 1, 'a': 2} | dictsort(true)
{'B': 1, 'a': 2} | dictsort(by='value')
{'B': 1, 'a': 2} | dictsort(false, 'value', true)
{'B': 1, 'a': 2} | dictsort(by='x')
xs | dictsort
d | items | list
missing | items | list
people[0] | items | list
xs | items | list
people | groupby('age')
people | groupby('city')
people | groupby('city', case_sensitive=true)
people | groupby('zip', default='none')
(people | groupby('age'))[0].grouper
(people | groupby('age'))[0].list | length
(people | groupby('age'))[0][0]
xs | batch(2) | list
xs | batch(2, 'x') | list
xs | batch(5, 0) | list
range(7) | batch(3) | list
range(7) | slice(3) | list
range(7) | slice(3, 'x') | list
range(2) | slice(4) | list
xs | slice(0) | list
xs | map('string') | list
words | map('upper') | list
words | map('replace', 'a', 'A') | list
xs | map('default', 5) | list
people | map(attribute='name') | list
people | map(attribute='tags.0') | list
people | map(attribute='tags', default='-') | list
nested | map(attribute=0) | list
nested | map('first') | list
people | map(attribute='name', nope=1) | list
xs | map | list
xs | map('nope') | list
xs | map('nope') is defined
n | map('string') | list
xs | select | list
[0, 1, '', 'a', none] | select | list
xs | select('odd') | list
xs | select('gt', 1) | list
xs | select('divisibleby', 3) | list
xs | reject('odd') | list
[0, 1] | reject | list
xs | select('nope') | list
people | selectattr('tags') | map(attribute='name') | list
people | selectattr('age', 'equalto', 30) | map(attribute='name') | list
people | selectattr('age', '>', 26) | map(attribute='name') | list
people | selectattr('tags', 'defined') | list | length
people | rejectattr('tags', 'defined') | list | length
people | rejectattr('age', 'eq', 30) | map(attribute='name') | list
people | selectattr | list
people | selectattr('name', 'in', ['Bo', 'Cy']) | list | length
missing | selectattr('x') | list
n | abs
neg | abs
-2.5 | abs
s | abs
f | round
3.5 | round
4.5 | round
2.675 | round(2)
1234.5678 | round(-2)
1234 | round(-2)
1250 | round(-2)
15 | round(-1)
25 | round(-1)
n | round
2.1 | round(method='ceil')
2.9 | round(0, 'floor')
42.55 | round(1, 'floor')
3 | round(1, 'ceil')
2.5 | round(1, 'x')
t | round
s | round
'42' | int
' 42 ' | int
'-7' | int
'4_2' | int
'42.9' | int
'1e3' | int
'abc' | int
'abc' | int(5)
'' | int
nil | int
nil | int(default=9)
2.9 | int
-2.9 | int
t | int
xs | int
hex | int(base=16)
hex | int
'ff' | int(0, 16)
'0b11' | int(0, 2)
'0b11' | int(0, 0)
'017' | int(0, 8)
'017' | int
'inf' | int
'nan' | int
missing | int
'1.5' | float
'x' | float
'x' | float(2.5)
' 1e-3 ' | float
'inf' | float
'-Infinity' | float
'nan' | float
'1_0.5' | float
'.5' | float
'5.' | float
n | float
nil | float
xs | float
missing | float
n | string
nil | string
xs | string
s | string
f | string
missing | default('x')
nil | default('x')
nil | default('x', true)
'' | default('x')
'' | default('x', boolean=true)
zero | d('x', true)
missing | default
d.zz | default('q')
d.zz.y | default('q')
missing | default(missing2)
'a\\nb\\nc' | indent
'a\\nb\\n\\nc' | indent(2)
'a\\nb\\n\\nc' | indent(2, true)
'a\\nb\\n\\nc' | indent(2, true, true)
'a\\nb\\n' | indent(2)
'a\\nb' | indent('> ')
'a\\nb' | indent('> ', first=true)
'' | indent(2, true)
n | indent
lines | indent(1)
markers | escape
markers | e
n | e
(markers | e) | e
(markers | e) | forceescape
(markers | safe) | e
(markers | safe) + '<b>'
'<b>' + (markers | safe)
(markers | safe) ~ '<b>'
(('<a>' | safe) * 2) + '<'
('<a>' | safe) | upper
('<%s>' | safe) % '<x>'
('<{}>' | safe).format('<x>')
('-' | safe).join(['<a>', '<b>' | safe])
('a<' | safe) | replace('a', '<')
('a<' | safe).replace('a', '<')
['<' | safe, 'x'] | join
('<' | safe)[0] + '<'
[s | safe]
(' <a> ' | safe) | trim
d | tojson
xs | tojson
s | tojson
u | tojson
u | tojson(ensure_ascii=true)
markers | tojson
nil | tojson
t | tojson
f | tojson
1e100 | tojson
'inf' | float | tojson
[] | tojson
{} | tojson
[[], {}] | tojson(indent=2)
d | tojson(indent=2)
d | tojson(indent=0)
d | tojson(indent='--')
d | tojson(sort_keys=true)
d | tojson(separators=(',', ':'))
d | tojson(indent=2, separators=(',', ': '))
d | tojson(true)
(1, 2) | tojson
{1: 2, none: 3, 2.5: 4, true: 5} | tojson
{(1, 2): 3} | tojson
missing | tojson
[missing] | tojson
range(3) | tojson
d.items() | tojson
(xs | map('string')) | tojson
'\\x00\\x1f\\x7f\\n\\t\\b\\f\\r' | tojson
'\\x7f\\u2028' | tojson(ensure_ascii=true)
'🙂' | tojson(ensure_ascii=true)
(s | safe) | tojson
tools | tojson(indent=4)
tools[0] | tojson
json_text | from_json
(json_text | from_json).k
'nope' | from_json
'%s and %s' | format('a', 1)
'%(x)s' | format(x=5)
'%s' | format
'%s' % 'a'
'%s %s' % ('a', 'b')
'%s' % (1,)
'%s' % xs
'%d' % 3.9
'%d' % 'x'
'%5d|%-5d|%05d' % (1, 2, 3)
'%+d % d' % (1, 2)
'%x %X %o %#x %#o' % (255, 255, 8, 255, 8)
'%e %E %f %.2f %g %G' % (1.5, 1.5, 1.5, 1.555, 1e20, 1e-10)
'%10.3f|%-10.3f|%010.3f' % (3.14159, 3.14159, -3.14159)
'%.0f %.1f' % (2.5, 0.25)
'%c%c' % ('a', 98)
'%r %s' % ('a', 'a')
'%%' % ()
'%5s|%-5s|%.2s' % ('a', 'b', 'cde')
'%*d' % (5, 3)
'%(a)s %(b)d' % {'a': 'x', 'b': 2}
'%s %s' % 'a'
'%s' % ('a', 'b')
'abc' % 1
'abc' % {}
'%z' % 1
'%' % 1
'%s' % missing
'%s' % nil
'%i' % t
'%.3d' % 5
'%x' % 1.5
'{}'.format('a')
'{} {}'.format(1, 2)
'{0} {1} {0}'.format('a', 'b')
'{a} {b}'.format(a=1, b='x')
'{0.a} {0[a]}'.format({'a': 1})
'{0[0]} {0[1]}'.format(xs)
'{:>5}|{:<5}|{:^5}|{:*^7}'.format('a', 'b', 'c', 'd')
'{:5}|{:5}'.format('a', 1)
'{:05}|{:05d}|{:+}|{: }'.format(1.5, 3, 4, 5)
'{:05}'.format('a')
'{:.2f} {:.0f} {:e} {:g} {:%}'.format(3.14159, 2.5, 12345.678, 0.00001, 0.25)
'{:.3} {:.3}'.format(3.14159, 'abcdef')
'{:,} {:,.2f} {:_}'.format(1234567, 1234567.891, 1234567)
'{:010,}'.format(12345)
'{:x} {:X} {:#x} {:b} {:o} {:c} {:#b}'.format(255, 255, 255, 5, 8, 65, 5)
'{!r} {!s}'.format('a', 'b')
'{{}} {}'.format(1)
'{:{}}|'.format('a', 5)
'{:{w}.{p}}|'.format('abcdef', w=5, p=2)
'{'.format()
'}'.format()
'{}'.format()
'{a}'.format()
'{0} {}'.format(1, 2)
'{} {0}'.format(1, 2)
'{:d}'.format('a')
'{:s}'.format(1)
'{:.2}'.format(1)
'{}'.format(xs)
'{:5}'.format(xs)
'{}'.format(missing)
'{:>5}'.format(none)
'{}'.format(true)
'{:5}'.format(true)
'{:.3}'.format(100.0)
'{:.3}'.format(1234.5)
'{:.10}'.format(0.1)
'{:g} {:G}'.format(1e10, 1e-7)
'{:=+5}'.format(3)
'{:<05}|{:^05}'.format(7, 7)
'{a[b]}'.format(a={'b': 1})
'{0.__class__}'.format(1)
'{0.upper}'.format('a') is string
'{}'.format_map({'a': 1})
'{a}'.format_map({'a': 1})
s.upper()
s.lower()
'hELLO wORLD'.title()
"they're bill's".title()
'hELLO'.capitalize()
'aBc'.swapcase()
'ß'.casefold()
spaces.strip()
spaces.lstrip()
spaces.rstrip()
'xxaxx'.strip('x')
'xxaxx'.lstrip('x')
'xxaxx'.rstrip('x')
'\\u3000a\\u00a0'.strip()
'a,b,,c'.split(',')
'a,b,c'.split(',', 1)
'a,b,c'.rsplit(',', 1)
' a  b c '.split()
' a  b c '.split(none, 1)
' a  b c '.rsplit(none, 1)
'a,b,c'.split(sep=',', maxsplit=1)
''.split()
''.split(',')
'abc'.split('')
'a--b--c'.split('--')
'a--b--c'.rsplit('--')
s.split(n)
lines.splitlines()
lines.splitlines(true)
'a\\x0bb\\x0cc\\x1cd\\u2028e'.splitlines()
''.splitlines()
s.startswith('Hell')
s.startswith(('x', 'H'))
s.startswith('W', 7)
s.startswith('W', 7, 8)
s.endswith('ld')
s.endswith(('x', 'ld'))
s.endswith('o', 0, 5)
s.startswith(1)
s.startswith('')
''.startswith('', 1)
s.find('o')
s.find('o', 5)
s.find('o', 5, 6)
s.find('zz')
s.rfind('o')
s.rfind('o', 0, 5)
s.index('W')
s.index('zz')
s.rindex('o')
u.find('語')
u.rfind('é')
s.find('')
s.find('', 50)
s.find('o', -5)
s.count('l')
s.count('')
s.count('l', 3)
'aaaa'.count('aa')
s.replace('l', 'L')
s.replace('l', 'L', 1)
s.replace('l')
s.replace('', '.')
'-'.join(['a', 'b'])
'-'.join('abc')
'-'.join(xs)
'-'.join([])
''.join(words)
'-'.join(d)
'a,b'.partition(',')
'ab'.partition(',')
'a,b,c'.rpartition(',')
'ab'.rpartition(',')
'a'.center(5)
'ab'.center(5, '*')
'a'.ljust(3, '.')
'a'.rjust(3, '.')
'a'.ljust(3, '..')
'abc'.center(2)
'42'.zfill(5)
'-42'.zfill(5)
'+4'.zfill(4)
'x'.zfill(3)
'abc'.isalpha()
'ab1'.isalpha()
'ab1'.isalnum()
'123'.isdigit()
'²'.isdigit()
'²'.isdecimal()
'12.3'.isdigit()
''.isdigit()
' \\t'.isspace()
''.isspace()
'abc'.islower()
'ABC'.isupper()
'Abc Def'.istitle()
'Abc def'.istitle()
'abc'.isascii()
u.isascii()
'a_1'.isidentifier()
'1a'.isidentifier()
'prefix-x'.removeprefix('prefix-')
'x-suffix'.removesuffix('-suffix')
s.nosuch()
s.upper(1)
s.strip(1)
s.strip(none)
xs.index(1)
xs.index(99)
xs.index(2, 1)
xs.count(3)
(1, 2, 1).count(1)
(1, 2).index(2)
xs.copy()
d.get('b')
{'a': 1}.get('a')
{'a': 1}.get('z')
{'a': 1}.get('z', 5)
{'a': 1}.get('z', default=5)
{'a': 1}.get([1])
{'a': 1}.items()
{'a': 1}.copy()
{'a': 1}.keys() | list
{'a': none}.get('a', 5)
2.0.is_integer()
f.is_integer()
namespace(a=1)
namespace(a=1).a
namespace({'x': 2}).x
namespace({'x': 2}, y=3)
namespace(a=1).b
namespace(a=1)['a']
namespace(_a=1)._a
namespace(a=1) is mapping
dict(a=1, b=2)
dict([('a', 1)], b=2)
dict({'a': 1}, a=3)
dict(a=1).a
dict([1])
dict(1)
cycler('a', 'b').next()
cycler('a', 'b').current
cycler()
joiner()()
joiner('x') is callable
raise_exception('boom')
raise_exception()
strftime_now('%Y') | length
strftime_now('%d %b %Y') | length
u.split(' ')
u | wordcount
'a b-c d_e' | wordcount
'x' | center(5)
'foo bar baz qux' | truncate(9)
'foo bar baz qux' | truncate(9, true)
'foo bar baz qux' | truncate(11)
'foo bar baz qux' | truncate(11, false, '...', 0)
'foo bar baz qux' | truncate(2)
'a b/c?ü' | urlencode
{'a b': 'c&d', 'e': 1} | urlencode
[1, {'b': 2, 'a': 1}] | pprint
{'a': 1} | attr('items') is callable
{'a': 1} | attr('a')
s | attr('upper') is callable
(xs, s, nil)
[s, u, 'it\\'s', '"', "'\\""]
['\\n', '\\x00', '\\u200b', '\\x7f', '\\xa0', '😀']
{'k': {'n': [none, 1.5]}}
s | nosuchfilter
(s | nosuchfilter) if no else 'ok'
'x' if t else (s | nosuchfilter)
(s is nosuchtest) if no else 'ok'
xs | map('upper') | map('lower') | list
[1, [2, 3]] | string | length
xs | list | first | string | upper
(n | string) ~ (f | string)
n|string|length + 1
-n|abs
(-n)|abs
2**2|abs
n is odd and f is float
xs|length > 2
xs|length == 3 and not no
'a' in d and d.a
'a' not in xs
not 'a' in d
s.split(', ')[1].upper()[::-1]
[x for x in xs]
x = 1
1 +
)
(1
[1
{1
{'a'}
{'a': }
a b
1 2
!x
@
x?
'unclosed
xs[
xs[]
xs[1, 2]
d[1:2, 3]
s.(x)
s.'x'
f(*xs)
range(*[1, 4]) | list
dict(**{'a': 1})
dict(a=1, **{'b': 2})
dict(a=1, **{'a': 2})
dict(**xs)
range(*n)
range(**{'x': 1})
dict(a=1, a=2)
dict(a=1, 2)
s.upper(*[])
s.replace(*['l', 'L'])
s.format(**{})
""".strip("\n").split("\n")

# Two lines of EXPRESSIONS belong together: a backslash at the end of a line continues the string literal.
EXPRESSIONS = [line for line in "\n".join(EXPRESSIONS).replace("\\\\", "\\").replace("'a\\\nb'", "'a\x00b'").split("\n")]
EXPRESSIONS = [line.replace("\x00", "\\\n") for line in EXPRESSIONS]

STATEMENTS = [
    "{% if n %}yes{% endif %}", "{% if no %}a{% elif n == 3 %}b{% else %}c{% endif %}",
    "{% if no %}a{% elif no %}b{% else %}c{% endif %}", "{% if missing %}a{% else %}b{% endif %}", "{% if 1, %}t{% endif %}",
    "{% if a = 1 %}{% endif %}", "{% if %}{% endif %}", "{% if n %}", "{% endif %}", "{% else %}", "{% nosuchtag %}", "{% %}",
    "{% if n: %}x{% endif %}", "{% if n %}{% for %}{% endif %}",
    "{% for x in xs %}{{ x }}{% endfor %}", "{% for x in [] %}a{% else %}empty{% endfor %}",
    "{% for x in xs %}a{% else %}empty{% endfor %}", "{% for x in missing %}a{% else %}e{% endfor %}",
    "{% for x in n %}a{% endfor %}", "{% for x in nil %}a{% endfor %}", "{% for c in s[:3] %}[{{ c }}]{% endfor %}",
    "{% for c in u %}[{{ c }}]{% endfor %}", "{% for k in d %}{{ k }},{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k, v in d|items %}{{ k }}={{ v }};{% endfor %}",
    "{% for k, v in people[0].items() %}{{ loop.index }}{{ k }}={{ v }}{{ ',' if not loop.last }}{% endfor %}",
    "{% for a, b in [[1, 2], (3, 4)] %}{{ a }}{{ b }}{% endfor %}", "{% for a, (b, c) in [[1, [2, 3]]] %}{{ a + b + c }}{% endfor %}",
    "{% for a, b in [[1]] %}{% endfor %}", "{% for a, b in [[1, 2, 3]] %}{% endfor %}", "{% for a, b in [1] %}{% endfor %}",
    "{% for a, b in ['xy'] %}{{ b }}{{ a }}{% endfor %}", "{% for x, in [[1]] %}{{ x }}{% endfor %}",
    "{% for x in xs if x > 1 %}{{ x }}{{ loop.index }}{% endfor %}", "{% for x in xs if x > 9 %}a{% else %}none{% endfor %}",
    "{% for x in xs if x is odd %}{{ loop.length }}/{{ loop.revindex }} {% endfor %}",
    "{% for x in xs if loop.first %}{{ x }}{% endfor %}", "{% for x in 1, 2, 3 %}{{ x }}{% endfor %}",
    "{% for x in xs if n and x < n %}{{ x }}{% endfor %}", "{% for k, v in d.items() if v is string %}{{ k }}{% endfor %}",
    "{% for x in xs %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }} {% endfor %}",
    "{% for x in xs %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}",
    "{% for x in xs %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }} {% endfor %}",
    "{% for x in xs %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for x in xs %}{{ loop.cycle() }}{% endfor %}",
    "{% for x in [1, 1, 2] %}{{ loop.changed(x) }}{% endfor %}", "{% for x in [1, 1] %}{{ loop.changed(loop) }}{% endfor %}",
    "{% for x in xs %}{{ loop }}{% endfor %}", "{% for x in xs %}{{ loop.depth }}{{ loop.depth0 }}{% endfor %}",
    "{% for x in xs|map('string') %}{{ loop.last }}{{ loop.length }}{{ x }} {% endfor %}",
    "{% for x in xs|map('string') %}{{ x }}{{ loop.nextitem }}{% endfor %}",
    "{% for x in xs %}{% for y in xs %}{{ loop.index }}{{ y }}{% endfor %}{{ loop.index }} {% endfor %}",
    "{% for x in nested recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}{% endif %}{% endfor %}",
    "{% for x in nested recursive %}{{ loop.depth }}{% if x is sequence %}[{{ loop(x) }}]{% endif %}{% else %}E{% endfor %}",
    "{% for x in xs %}{{ loop(xs) }}{% endfor %}", "{% for x in nested if x recursive %}{{ x|length }}{% endfor %}",
    "{% set q = 5 %}{% for x in [1] recursive %}{{ q }}{% set q = 7 %}{{ q }}{% endfor %}{{ q }}",
    "{% for x in xs %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in xs %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in [1] %}{% continue %}{% else %}E{% endfor %}", "{% for x in [1] %}{% break %}{% else %}E{% endfor %}",
    "{% for x in xs %}{% for y in xs %}{% if y == 1 %}{% break %}{% endif %}{{ y }}{% endfor %}{{ x }}{% endfor %}",
    "{% for x in xs %}{% for y in [] %}{% else %}{% break %}{% endfor %}{{ x }}{% endfor %}", "{% break %}", "{% continue %}",
    "{% if n %}{% break %}{% endif %}", "{% for x in xs %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}",
    "{% for x in xs %}{% set y %}a{% break %}{% endset %}{% endfor %}[{{ y }}]",
    "{% for x in xs %}{% filter upper %}a{% if x == 1 %}{% break %}{% endif %}b{% endfilter %}{% endfor %}",
    "{% for loop in xs %}{% endfor %}", "{% for x in xs %}{% set loop = 1 %}{% endfor %}", "{% for x in xs %}{{ loop.nope }}{% endfor %}",
    "{% for 1 in xs %}{% endfor %}", "{% for x.y in xs %}{% endfor %}", "{% for x xs %}{% endfor %}", "{% for x in %}{% endfor %}",
    "{% for x in xs %}", "{% for none in xs %}{% endfor %}", "{{ loop }}", "{{ loop.index }}", "{% set loop = 5 %}{{ loop }}",
    "{% for x in xs %}{{ x }}{% endfor %}{{ x }}", "{% set x = 'o' %}{% for x in xs %}{{ x }}{% endfor %}{{ x }}",
    "{% for x in xs %}{% set y = x %}{% endfor %}{{ y }}", "{% set y = 0 %}{% for x in xs %}{% set y = y + x %}{{ y }}{% endfor %}{{ y }}",
    "{% for x in xs %}{{ y }}{% set y = x %}{% endfor %}", "{% for x in xs %}{% if x == 1 %}{% set y = 'set' %}{% endif %}{{ y }},{% endfor %}",
    "{% for x in xs %}{{ n }}{% set n = x %}{{ n }}{% endfor %}{{ n }}",
    "{% if no %}{% set z = 1 %}{% endif %}{{ z }}|{{ z is defined }}", "{% if n %}{% set z = 1 %}{% endif %}{{ z }}",
    "{{ n }}{% set n = 10 %}{{ n }}", "{% if no %}{% set n = 1 %}{% endif %}{{ n }}", "{% if no %}{% set n = 1 %}{% else %}{{ n }}{% endif %}",
    "{% if no %}{% set n = 1 %}{% elif t %}{{ n }}{% set n = 2 %}{% endif %}{{ n }}",
    "{% macro m() %}{{ n }}{% endmacro %}{{ m() }}{% set n = 9 %}{{ m() }}", "{% set n = 9 %}{% macro m() %}{{ n }}{% endmacro %}{{ m() }}",
    "{% macro m() %}{{ q }}{% endmacro %}{% set q = 1 %}{{ m() }}{% set q = 2 %}{{ m() }}",
    "{% macro m() %}{% set n = 1 %}{{ n }}{% endmacro %}{{ m() }}{{ n }}", "{% macro m() %}{{ n }}{% set n = 1 %}{{ n }}{% endmacro %}{{ m() }}{{ n }}",
    "{% for i in [1, 2] %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}{{ m is defined }}",
    "{% set ns = namespace() %}{% for i in [1] %}{% macro m() %}{{ i }}{% endmacro %}{% set ns.m = m %}{% endfor %}{% for i in [5] %}{{ ns.m() }}{% endfor %}",
    "{% set ns = namespace(c=0) %}{% for x in xs %}{% set ns.c = ns.c + x %}{% endfor %}{{ ns.c }}",
    "{% set ns = namespace(c=0) %}{% if t %}{% set ns.c = 5 %}{% endif %}{{ ns.c }}{{ ns }}",
    "{% set ns.c = 1 %}", "{% set n.c = 1 %}", "{% set d.c = 1 %}{{ d.c }}", "{% set ns = namespace() %}{% set ns.a, ns.b = 1, 2 %}{{ ns.a }}{{ ns.b }}",
    "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns.me.me is defined }}", "{% set ns = namespace(x=1) %}{% macro m(v) %}{% set v.x = 2 %}{% endmacro %}{{ m(ns) }}{{ ns.x }}",
    "{% set ns = namespace(f=true) %}{% for x in xs if ns.f %}{% set ns.f = false %}{{ x }}{% endfor %}",
    "{% set ns = namespace(f=true) %}{% for x in xs if ns.f %}{{ loop.last }}{% set ns.f = false %}{{ x }}{% endfor %}",
    "{% set a = 1 %}{{ a }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a, b = xs %}", "{% set (a, b) = (1, 2) %}{{ b }}", "{% set a = 1, 2 %}{{ a }}",
    "{% set a %}x{{ n }}y{% endset %}[{{ a }}]", "{% set a | upper %}x{{ n }}y{% endset %}{{ a }}", "{% set a | replace('x', 'z') | trim %} xy {% endset %}[{{ a }}]",
    "{% set a %}{% for x in xs %}{{ x }}{% endfor %}{% endset %}{{ a|length }}", "{% set a %}{% set b = 5 %}{% endset %}{{ b }}", "{% set ns = namespace() %}{% set ns.t %}x{% endset %}{{ ns.t }}",
    "{% set nope.t %}x{% endset %}", "{% set n.t %}x{% endset %}", "{% set true = 1 %}", "{% set 'a' = 1 %}", "{% set a %}", "{% set a = %}", "{% set = 1 %}", "{% set a b = 1 %}", "{% set xs[0] = 1 %}",
    "{% macro m(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(b=4, a=5) }} {{ m() }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, a=2) }}",
    "{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(1) }}", "{% macro m(a=b, b=1) %}[{{ a }}{{ b }}]{% endmacro %}{{ m() }}", "{% macro m(a=1, b) %}{% endmacro %}",
    "{% macro m(a, a) %}{% endmacro %}", "{% macro m %}{% endmacro %}", "{% macro %}{% endmacro %}", "{% macro m(1) %}{% endmacro %}", "{% macro m(none) %}{% endmacro %}",
    "{% macro m(a) %}{{ a is defined }}{% endmacro %}{{ m() }}{{ m(missing) }}{{ m(none) }}", "{% macro m(a=5) %}{{ a }}{% endmacro %}{{ m(missing) }}|{{ m(none) }}",
    "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}", "{% macro m(a) %}{{ a }}{{ varargs }}{% endmacro %}{{ m(1, 2, 3) }}",
    "{% macro m(a) %}{{ kwargs.x }}{% endmacro %}{{ m(1, x=3) }}", "{% macro m() %}{{ kwargs }}{% endmacro %}{{ m(**{'a': 1}) }}", "{% macro m(varargs) %}{{ varargs }}{% endmacro %}{{ m(1) }}",
    "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}body{{ n }}{% endcall %}", "{% macro m() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b=3) m() %}{{ a }}{{ b }}{% endcall %}",
    "{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}", "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}", "{% macro m() %}x{% endmacro %}{% call m() %}body{% endcall %}",
    "{% macro m(caller) %}{{ caller() }}{% endmacro %}{% call m() %}b{% endcall %}", "{% macro m(caller=none) %}{{ caller }}{% endmacro %}{{ m() }}", "{% call n %}{% endcall %}", "{% call s.upper() %}{% endcall %}",
    "{% macro o() %}<{{ caller() }}>{% endmacro %}{% macro m() %}{% call o() %}[{{ caller() }}]{% endcall %}{% endmacro %}{% call m() %}x{% endcall %}",
    "{% set x = 1 %}{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}{% set x = 2 %}{{ x }}{% endcall %}{{ x }}",
    "{% macro m(k) %}{% if k > 0 %}{{ k }}{{ m(k - 1) }}{% endif %}{% endmacro %}{{ m(5) }}", "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}",
    "{% macro m() %}{{ inner() }}{% macro inner() %}I{% endmacro %}{{ inner() }}{% endmacro %}{{ m() }}", "{% macro m() %}{% macro inner() %}I{% endmacro %}{{ inner() }}{% endmacro %}{{ m() }}{{ inner is defined }}",
    "{% macro m() %}a{% endmacro %}{{ m() ~ m() }}{{ m()|upper }}{{ m().upper() }}", "{% macro m() %}{% endmacro %}{{ m }}{{ m.name }}{{ m.arguments }}{{ m.catch_kwargs }}",
    "{% macro m() %}<{% endmacro %}{{ m() + '<' }}", "{{ m() }}{% macro m() %}late{% endmacro %}", "{% if t %}{% macro m() %}in if{% endmacro %}{% endif %}{{ m() }}",
    "{% macro m(x) %}{% if not x %}{% set x = 1 %}{% endif %}{{ x }}{% endmacro %}{{ m(0) }}{{ m(5) }}", "{% macro m() %}{% for x in xs %}{{ x }}{% set z = x %}{% endfor %}{{ z }}{% endmacro %}{{ m() }}",
    "{% macro m(items) %}{% for i in items %}{{ loop.index }}{% endfor %}{% endmacro %}{% for x in xs %}{{ m(xs) }}{{ loop.index }}{% endfor %}",
    "{% for x in xs %}{% macro m() %}{{ loop.index }}{% endmacro %}{{ m() }}{% endfor %}", "{% macro m(l) %}{{ l.index }}{% endmacro %}{% for x in xs %}{{ m(loop) }}{% endfor %}",
    "{% with %}x{% endwith %}", "{% with a = 1 %}{{ a }}{% endwith %}{{ a }}", "{% with a = 1, b = a %}{{ b }}{% endwith %}", "{% set a = 5 %}{% with a = 1, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}",
    "{% with a, b = xs %}{% endwith %}", "{% with a, b = (1, 2) %}{{ a }}{{ b }}{% endwith %}", "{% with a = 1 %}{% set a = 2 %}{{ a }}{% endwith %}{{ a }}", "{% for x in xs %}{% with loop = x %}{{ loop }}{% endwith %}{% endfor %}",
    "{% filter upper %}a{{ s }}{% endfilter %}", "{% filter replace('a', 'b') | upper %}xaa{% endfilter %}", "{% filter trim %}  {% set q = 1 %}{{ q }} {% endfilter %}{{ q }}", "{% filter nope %}{% endfilter %}", "{% filter %}{% endfilter %}",
    "{% generation %}a{{ n }}{% endgeneration %}", "{% for x in xs %}{% generation %}{{ x }}{% set n = x %}{% endgeneration %}{{ n }}{% endfor %}", "{% for x in xs %}{% generation %}{% break %}{% endgeneration %}{% endfor %}",
    "{% generation %}", "{% print 1, 2 %}", "{% print %}", "{% print s|upper %}", "{% raw %}{{ x }}{% if %}{% endraw %}", "{% raw %}a", "{% raw -%}  a  {%- endraw %} b", "{% raw %}\n  a\n  {% endraw %}\n b",
    "  {% raw %}x{% endraw %}  y", "a{%- raw -%} b {%- endraw -%} c", "{% raw %}{% raw %}{% endraw %}", "{%raw%}{{{%endraw%}", "{% rawx %}", "{# comment #}a", "a{# {{ x }} {% if %} #}b", "{#", "{# a", "{#-#}a", "{#- a -#} b", "x {#- a #} y", "x\n  {# a #}\ny", "x {# a -#}\n y", "x {#+ a +#}\n y",
    "{% if no %}{{ s|nope }}{% endif %}ok", "{% if no %}{{ s is nope }}{% endif %}ok", "{% if t %}{{ s|nope }}{% endif %}", "{% if no %}{% for x in xs %}{{ x|nope }}{% endfor %}{% endif %}", "{{ 'a' if no else s|nope }}",
    "{% set x = joiner(', ') %}{% for i in xs %}{{ x() }}{{ i }}{% endfor %}", "{% set c = cycler('a', 'b') %}{% for i in xs %}{{ c.next() }}{% endfor %}{{ c.current }}{% set _ = c.reset() %}{{ c.next() }}",
    "{% set g = xs|map('string') %}{{ g|list }}{{ g|list }}", "{% set g = xs|select('odd') %}{{ g|first }}{{ g|first }}", "{% set f = s.upper %}{{ f() }}", "{% set it = d.items() %}{{ it|list == it|list }}",
    "{{ xs|map(attribute='a.b')|first }}", "{% for g in people|groupby('age') %}{{ g.grouper }}:{{ g.list|map(attribute='name')|join(',') }};{% endfor %}", "{% for age, who in people|groupby('age') %}{{ age }}{{ who|length }}{% endfor %}",
    "{% for row in range(5)|batch(2, '-') %}{{ row|join }}|{% endfor %}", "{% for a in xs %}{% for b in xs if b > a %}{{ a }}{{ b }} {% endfor %}{% endfor %}", "{% for a in nested if a %}{% for b in a if b is iterable %}{{ b }}{% endfor %}{% endfor %}",
    "{% include 'x' %}", "{% import 'x' as y %}", "{% extends 'x' %}", "{{ range(3)|sum }}{{ 'a' * 3 }}{{ xs|sum }}", "{% for i in range(3) %}{{ i }}{% endfor %}", "{%- for i in range(2) -%} {{ i }} {%- endfor -%}",
]

WHITESPACE = [
    "a\n{% if n %}\nb\n{% endif %}\nc", "a\n  {% if n %}\n  b\n  {% endif %}\nc", "a  {% if n %}  b  {% endif %}  c", "a\n\n{%- if n -%}\n\n b \n\n{%- endif -%}\n\nc",
    "a\n  {%+ if n %}\n  b\n  {%+ endif %}\nc", "a\n  {% if n +%}\n  b\n  {% endif +%}\nc", "{{ n }}\n{{ n }}\n", "  {{ n }}  \n", "a {{- n -}} b", "a\n {{- n -}} \n b", "a {{ n -}}\n\n b", "a \n{{- n }} b",
    "\n\na\n\n", "a\n", "a\n\n", "a\r\nb\rc\r\n", "{% if n %}\r\nx\r\n{% endif %}\r\n", "{% set x = 1 %}\n{{ x }}\n", "  {% set x = 1 %}  \n{{ x }}", "x  {% set y = 1 %}\nz", "\t{% if n %}\tx\t{% endif %}\t\n",
    "{% if n %}{% endif %}\n\nx", "{{ 1 }}{% if n %}\nx{% endif %}", "{{ 1 }} {% if n %}\nx{% endif %}", "\n {% if n %}\n {% if n %}\nx\n {% endif %}\n {% endif %}\n", "{# c #}\nx\n{# c #}\n", " {# c #} x", "a\n {#- c -#} \nb",
    "{%- if n %} a {%- else %} b {%- endif %} c", "{% for x in xs %}\n{{ x }}\n{% endfor %}\nend", "{%- for x in xs %}\n{{ x }}\n{%- endfor %}\nend", "{% for x in xs -%}\n  {{ x }}\n{%- endfor %}", "a\u00a0{%- if n %}b{% endif %}", "a\u3000\n{%- if n %}b{% endif %}",
    "\u00a0{% if n %}x{% endif %}", "\f{% if n %}x{% endif %}\v\n", "{{ '{{' }}{{ '%}' }}", "{{ \"}}\" }}", "{{ {'a': {'b': 1}}.a.b }}", "{{ {'a': {}} }}", "{{'a'}}{{'b'}}", "{ { n } }", "{{n}}{%if n%}x{%endif%}", "{{\nn\n}}", "{%\nif\nn\n%}x{%\nendif\n%}",
    "{{ n", "{{ n }", "{% if n", "{{ n }} }}", "{{ }}", "{{", "{%", "a{", "a{b}c", "}}", "%}", "#}", "{{ n }}}", "{{{ n }}}", "{{ -n }}", "{{-n}}", "{{+n}}", "{%- -%}", "{{ 'a\nb' }}", "{{ 'a\r\nb' }}", "\ufeffa",
    "{% if n -%}\n\n  a\n{% endif -%}\n\n  b", "<|x|>\n{%- if n -%}\n<|y|>\n{% for x in xs %}\n{{ x }}\n{% endfor %}\n</t>{%- endif -%}", "{%- set a = 1 %}\n\n{%- set b = 2 %}\n{{ a }}{{ b }}", "{% set a %}\n x\n{% endset %}\n[{{ a }}]", "{% macro m() %}\n x\n{% endmacro %}\n[{{ m() }}]",
]

REFUSED = [
    "{% set d.t %}x{% endset %}{{ d.t }}",  # Jinja2 forgets its own rule here and changes the dict
    "{{ 2 ** 64 }}", "{{ 9223372036854775807 + 1 }}", "{{ 99999999999999999999 }}", "{{ '<a b>'|striptags }}", "{{ 'a b'|wordwrap(1) }}", "{{ {'a': 1}|xmlattr }}", "{{ 'http://x.y'|urlize }}", "{{ 1000|filesizeformat }}", "{{ [1]|random }}",
    "{{ lipsum() }}", "{% block b %}x{% endblock %}", "{% autoescape true %}{% endautoescape %}", "{{ 'a'.encode() }}", "{{ 'a\tb'.expandtabs() }}", "{{ range(9)[1:3] }}", "{{ '\\N{BULLET}' }}", "{{ 'x' * 300000000 }}", "{{ (words * 30) | pprint }}",
]
