// What people changed lately, and taking it back.

import { api } from "./api.js";
import { count, word } from "./format.js";
import { h } from "./html.js";
import { badge, button, empty, later, notify } from "./parts.js";

const SHOWN = 10;

// The last edits of a scope, or of one of its clusters.
export function edits({ zone, signal, reload }, parent, cluster = "") {
  const load = () => api.get("/v1/{parent=personas/*}/clusterEdits", { parent, cluster, pageSize: SHOWN }, { signal });
  return later(load, ({ clusterEdits }) => (clusterEdits.length
    ? h("ol.rows", clusterEdits.map((edit) => row(edit, zone, reload)))
    : empty("Nobody changed anything here yet.")));
}

function row(edit, zone, reload) {
  const open = !edit.undoTime && Date.parse(edit.expireTime) > Date.now();
  return h("li.split", h("span", badge(word(edit.kind)), " ", edit.itemCount > 0 && `${count(edit.itemCount, "item")}, `, zone.moment(edit.createTime)),
    edit.undoTime ? h("span.soft", "undone") : open && button("Undo", async () => {
      await api.call("/v1/{name=personas/*/clusterEdits/*}:undo", { name: edit.name });
      notify("Undone.");
      reload();
    }, "button.small"));
}
