// Light or dark: JupyterLab names its theme on the body; elsewhere the reader's system decides.

export function pageTheme() {
  const lab = document.body.dataset.jpThemeLight;
  const dark = lab ? lab === "false" : matchMedia("(prefers-color-scheme: dark)").matches;
  return dark ? "dark" : "light";
}

// Calls `repaint` whenever the theme changes.
export function watchTheme(repaint) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  new MutationObserver(repaint).observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
}
