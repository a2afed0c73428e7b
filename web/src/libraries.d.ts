// SPDX-License-Identifier: Apache-2.0
//
// What the page uses of the libraries that Debian packages, for the type checker.

declare module "marked" {
  export interface Token {
    type: string;
    raw: string;
    text?: string;
    [member: string]: unknown;
  }
  export type TokenList = Token[] & { links: Record<string, unknown> };
  export interface Extension {
    name: string;
    level: "block" | "inline";
    start?(source: string): number | undefined;
    tokenizer(source: string): Token | undefined;
    renderer(token: Token): string;
  }
  export const marked: {
    use(options: {
      gfm?: boolean;
      breaks?: boolean;
      mangle?: boolean;
      headerIds?: boolean;
      extensions?: Extension[];
      tokenizer?: Record<string, (...values: never[]) => unknown>;
      renderer?: Record<string, (...values: never[]) => string>;
    }): void;
    lexer(source: string): TokenList;
    parser(tokens: TokenList): string;
  };
}

declare module "notice.txt" {
  const name: string; // of the served file
  export default name;
}

declare module "dompurify" {
  const purify: {
    sanitize(html: string, options: Record<string, unknown> & { RETURN_DOM_FRAGMENT: true }): DocumentFragment;
  };
  export default purify;
}

declare module "katex" {
  const katex: { render(tex: string, element: HTMLElement, options: Record<string, unknown>): void };
  export default katex;
}

declare module "highlight.js/lib/highlight" {
  const hljs: {
    configure(options: Record<string, unknown>): void;
    registerLanguage(name: string, language: unknown): void;
    getLanguage(name: string): unknown;
    highlight(name: string, code: string, ignoreIllegals: boolean): { value: string };
  };
  export default hljs;
}
declare module "highlight.js/lib/languages/*" {
  const language: unknown;
  export default language;
}
