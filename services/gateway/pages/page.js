// A link's secret stands after the `#`, where no server sees it: it is moved into a form, which its
// reader must send. Any other `#…` is the page that was wanted, and is kept on the way there.
"use strict";
const secret = /^#link=(msl_[0-9A-Za-z]{36})$/.exec(location.hash);
if (secret) {
  history.replaceState(null, "", location.pathname);
  document.getElementById("link").value = secret[1];
  document.getElementById("by-link").hidden = false;
} else if (location.hash.startsWith("#/")) {
  for (const form of document.querySelectorAll("form.for-in")) {
    form.action = "sign-in" + location.hash;
  }
}
// What MLflow's pages remember: the workspace that links without one mean, which they would else ask
// for at each, and that their assistant, of which there is none here, has shown itself.
const remembered = {
  "mlflow.activeWorkspace": "default",
  "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
};
for (const [name, value] of Object.entries(remembered)) {
  if (localStorage.getItem(name) === null) localStorage.setItem(name, value);
}
// The next one who signs in here may have other workspaces.
document.querySelector("form.for-out").addEventListener("submit", () => {
  localStorage.removeItem("mlflow.activeWorkspace");
});
