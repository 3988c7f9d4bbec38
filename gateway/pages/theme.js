// Runs before the page is painted, so that a chosen theme does not flash.
(() => {
  const root = document.documentElement;
  const chosen = localStorage.getItem("colonnade.theme");
  if (chosen) root.dataset.theme = chosen;
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    button?.addEventListener("click", () => {
      const dark = root.dataset.theme
        ? root.dataset.theme === "dark"
        : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      localStorage.setItem("colonnade.theme", root.dataset.theme);
    });
  });
})();
