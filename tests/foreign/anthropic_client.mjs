// Drives an endpoint with Anthropic's own client for Node, and prints what it made of it, as one JSON object.
// Environment: BASE_URL, TOKEN, TOOL (the name by which the agent calls the tool `tide`), PACKAGE (the client's folder).
import { createRequire } from "node:module";

const { BASE_URL, TOKEN, TOOL, PACKAGE } = process.env;
const { default: Anthropic } = await import(createRequire(PACKAGE + "/").resolve("@anthropic-ai/sdk"));
const client = new Anthropic({ baseURL: BASE_URL, apiKey: TOKEN });
const tide = {
  name: "tide",
  description: "How high the water is",
  input_schema: { type: "object", properties: { at: { type: "string" } }, required: ["at"] },
};
const base = { model: "claude-cli/sonnet", max_tokens: 1000 };
const user = (content) => ({ role: "user", content });
const text = (message) => message.content.map((block) => block.text ?? "").join("");
const seen = {};
const talk = [];

async function failure(make) {
  try {
    await make();
    return null;
  } catch (error) {
    return { status: error.status ?? null, type: error.error?.error?.type ?? null };
  }
}

// One conversation, as a client keeps it: the whole of it goes out each time.
async function say(content, stream) {
  talk.push(user(content));
  const asked = { ...base, tools: [tide], messages: talk };
  const message = stream ? await client.messages.stream(asked).finalMessage() : await client.messages.create(asked);
  talk.push({ role: "assistant", content: message.content });
  return message;
}

const whole = await say("SC:hello", false);
seen.whole = { text: text(whole), type: whole.type, role: whole.role, stop_reason: whole.stop_reason,
  output_tokens: whole.usage.output_tokens, request_id: whole._request_id ?? null };
const streamed = await say("SC:two", true);
seen.streamed = { text: text(streamed), stop_reason: streamed.stop_reason };
// The agent runs a tool of its own, so its turn has several messages within: the client's helper throws at two starts.
const merged = await say("SC:saybash echo hi", true);
seen.merged = { text: text(merged), stop_reason: merged.stop_reason, types: merged.content.map((block) => block.type) };
seen.goes_on = text(await say("SC:echo", false));
const call = await say(`SC:tool ${TOOL} {"at": "noon"}`, false);
const use = call.content.find((block) => block.type === "tool_use");
seen.tool_call = { stop_reason: call.stop_reason, name: use?.name, input: use?.input };
const told = await say([{ type: "tool_result", tool_use_id: use?.id, content: "high water" }], true);
seen.tool_told = { text: text(told), stop_reason: told.stop_reason };

const left = client.messages.stream({ ...base, tools: [tide], messages: [...talk, user("SC:slow 1000 ms=20")] });
let partial = "";
left.on("text", (delta) => { partial += delta; left.abort(); });
seen.left = await failure(() => left.finalMessage());
talk.push(user("SC:slow 1000 ms=20"), { role: "assistant", content: partial });
seen.after_leaving = text(await say("SC:echo", false));

seen.wrong_token = await failure(() =>
  new Anthropic({ baseURL: BASE_URL, apiKey: "wrong" }).messages.create({ ...base, messages: [user("SC:hello")] }));
seen.no_messages = await failure(() => client.messages.create({ ...base, messages: [] }));
seen.failed_stream = await failure(() =>
  client.messages.stream({ ...base, messages: [user("SC:error 529")] }).finalMessage());
seen.tokens = (await client.messages.countTokens({ model: base.model, messages: [user("How many?")] })).input_tokens;
seen.models = [];
for await (const model of client.models.list()) seen.models.push(model.id);

console.log(JSON.stringify(seen));
