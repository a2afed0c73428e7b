// SPDX-License-Identifier: Apache-2.0
//
// Colours of code: the languages that chats hold most.
import hljs from "highlight.js/lib/highlight";
import bash from "highlight.js/lib/languages/bash";
import clojure from "highlight.js/lib/languages/clojure";
import cmake from "highlight.js/lib/languages/cmake";
import cpp from "highlight.js/lib/languages/cpp";
import cs from "highlight.js/lib/languages/cs";
import css from "highlight.js/lib/languages/css";
import dart from "highlight.js/lib/languages/dart";
import diff from "highlight.js/lib/languages/diff";
import dockerfile from "highlight.js/lib/languages/dockerfile";
import elixir from "highlight.js/lib/languages/elixir";
import erlang from "highlight.js/lib/languages/erlang";
import fortran from "highlight.js/lib/languages/fortran";
import go from "highlight.js/lib/languages/go";
import haskell from "highlight.js/lib/languages/haskell";
import http from "highlight.js/lib/languages/http";
import ini from "highlight.js/lib/languages/ini";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import julia from "highlight.js/lib/languages/julia";
import kotlin from "highlight.js/lib/languages/kotlin";
import tex from "highlight.js/lib/languages/tex";
import lua from "highlight.js/lib/languages/lua";
import makefile from "highlight.js/lib/languages/makefile";
import markdown from "highlight.js/lib/languages/markdown";
import matlab from "highlight.js/lib/languages/matlab";
import nginx from "highlight.js/lib/languages/nginx";
import objectivec from "highlight.js/lib/languages/objectivec";
import ocaml from "highlight.js/lib/languages/ocaml";
import perl from "highlight.js/lib/languages/perl";
import php from "highlight.js/lib/languages/php";
import powershell from "highlight.js/lib/languages/powershell";
import python from "highlight.js/lib/languages/python";
import r from "highlight.js/lib/languages/r";
import ruby from "highlight.js/lib/languages/ruby";
import rust from "highlight.js/lib/languages/rust";
import scala from "highlight.js/lib/languages/scala";
import shell from "highlight.js/lib/languages/shell";
import sql from "highlight.js/lib/languages/sql";
import swift from "highlight.js/lib/languages/swift";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";

const languages = {
  bash, clojure, cmake, cpp, cs, css, dart, diff, dockerfile, elixir, erlang, fortran, go, haskell, http, ini, java,
  javascript, json, julia, kotlin, tex, lua, makefile, markdown, matlab, nginx, objectivec, ocaml, perl, php, powershell,
  python, r, ruby, rust, scala, shell, sql, swift, typescript, xml, yaml,
};
// Debian looks after this version; the library's own notice of its age is of no use to readers.
hljs.configure({ hideUpgradeWarningAcceptNoSupportOrSecurityUpdates: true });
for (const [name, language] of Object.entries(languages)) hljs.registerLanguage(name, language);

/** Other names that models write. */
const aliases: Record<string, string> = {
  c: "cpp", cuda: "cpp", csharp: "cs", zsh: "bash", fish: "bash", jsonc: "json", json5: "json", latex: "tex", svg: "xml", vue: "xml", svelte: "xml", toml: "ini", tsx: "typescript", jsx: "javascript",
};
const kMostCharacters = 60_000; // more would make the page stutter

/** HTML of spans, for the sanitiser; nothing for a language that is not here. */
export function highlight(code: string, language: string): string | undefined {
  const name = aliases[language] ?? language;
  if (!name || code.length > kMostCharacters || !hljs.getLanguage(name)) return undefined;
  return hljs.highlight(name, code, true).value;
}
