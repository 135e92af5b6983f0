// Texts of scripts in the page's language. The catalogue came before, as /locale/<language>.js.

/** A text in the page's language, its {name} fields filled in. */
export function t(text, values = {}) {
  const found = globalThis.myosonoTexts?.[text] ?? text;
  return found.replace(/\{(\w+)\}/g, (field, name) => (name in values ? String(values[name]) : field));
}
