// The accounts on which a persona publishes, and whether they can be used.

import { all, api } from "./api.js";
import { lastPart, word } from "./format.js";
import { h, fill } from "./html.js";
import { badge, button, empty, facts, heading } from "./parts.js";

export async function channelsView({ persona, zone }) {
  const channels = await all("/v1/{parent=personas/*}/channels", { parent: persona.name }, "channels");
  const command = `colonnade channels connect ${lastPart(persona.name)} ACCOUNT --provider buffer`;
  return [
    heading("Channels"),
    channels.length
      ? [h("ul.cards.wide", channels.map((channel) => h("li.card", channelCard(channel, zone)))),
        h("p.soft.machines", "A channel needs a key of its provider, which the command reads from COLONNADE_PROVIDER_TOKEN and nothing shows: ", h("code", command))]
      : empty("No channel is connected yet. The command reads the key of the provider from COLONNADE_PROVIDER_TOKEN:", command),
  ];
}

function channelCard(channel, zone) {
  const card = h("div");
  const show = (now) => fill(
    card,
    h("div.heading", h("h2", now.displayName || lastPart(now.name)), badge(word(now.state))),
    now.stateReason && h("p.reason", now.stateReason),
    facts([
      ["Provider", word(now.provider)],
      ["Network", now.service],
      ["Account", now.providerChannelId],
      ["Address", now.endpoint],
      ["Connected", zone.moment(now.createTime)],
    ]),
    h("div.actions", now.state === "STATE_PAUSED"
      ? button("Resume", async () => show((await api.call("/v1/{name=personas/*/channels/*}:resume", { name: now.name })).channel), "button.primary")
      : button("Pause", async () => show((await api.call("/v1/{name=personas/*/channels/*}:pause", { name: now.name })).channel))),
  );
  return show(channel);
}
