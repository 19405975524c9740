import { Marked, type Tokens } from 'marked';

/** A sentence that the runbook explains, and the place on its page. */
interface Explained {
  /** `…` stands for what differs. */
  readonly said: string;
  readonly at: string;
}

/** The runbook for the live page: it works where no other host is reachable. */
export interface RunbookPage {
  readonly html: string;
  /** JSON, for the page to find the part that explains a problem. */
  readonly sentences: string;
}

/** Makes the page of `docs/operate.md`; a link to a file of the repository becomes its path. */
export function runbookPage(markdown: string): RunbookPage {
  const explained: Explained[] = [];
  const marked = new Marked({ gfm: true });
  marked.use({
    renderer: {
      heading({ tokens, depth, text }: Tokens.Heading) {
        return `<h${depth} id="${anchorOf(text)}">${this.parser.parseInline(tokens)}</h${depth}>\n`;
      },
      blockquote({ tokens }: Tokens.Blockquote) {
        const said = tokens.map((token) => ('text' in token ? String(token.text) : '')).join(' ');
        const at = `said-${explained.length + 1}`;
        explained.push({ said: said.replaceAll('\n', ' '), at });
        return `<blockquote id="${at}">${this.parser.parse(tokens)}</blockquote>\n`;
      },
      link({ href, tokens }: Tokens.Link) {
        const text = this.parser.parseInline(tokens);
        if (/^(?:#|https:)/.test(href)) return `<a href="${href}">${text}</a>`;
        return `${text} (<code>docs/${href}</code>)`;
      },
      // what is wide scrolls by itself, also by keyboard
      code: ({ text }: Tokens.Code) => `<pre tabindex="0"><code>${escapeHtml(text)}</code></pre>\n`,
    },
  });
  const body = marked.parse(markdown, { async: false });
  return { html: frame(body), sentences: `${JSON.stringify(explained, null, 1)}\n` };
}

/** As GitHub makes it. */
function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

const frame = (body: string): string => `<!doctype html>
<!-- made by npm run docs:settings from docs/operate.md -->
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>Runbook · Sluice</title>
    <link rel="icon" href="live-page.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="live-page.css" />
  </head>
  <body>
    <header><a href="./">Back to the live page</a></header>
    <main class="text">
${body}    </main>
  </body>
</html>
`;
