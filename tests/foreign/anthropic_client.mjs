// Drives an endpoint with Anthropic's own client for Node, and prints what it made of it, as one JSON object.
// Environment: BASE_URL, TOKEN, TOOL (the name by which the agent calls the tool `tide`), PACKAGE (the client's folder).
import { createRequire } from "node:module";

const { BASE_URL, TOKEN, TOOL, PACKAGE } = process.env;
const { default: Anthropic } = await import(createRequire(PACKAGE + "/").resolve("@anthropic-ai/sdk"));
const client = new Anthropic({ baseURL: BASE_URL, apiKey: TOKEN });
const base = { model: "claude-cli/sonnet", max_tokens: 1000 };
const user = (content) => ({ role: "user", content });
const text = (message) => message.content.map((block) => block.text ?? "").join("");
const tool = {
  name: "tide",
  description: "How high the water is",
  input_schema: { type: "object", properties: { at: { type: "string" } }, required: ["at"] },
};

async function failure(make) {
  try {
    await make();
    return null;
  } catch (error) {
    return { name: error.constructor.name, status: error.status ?? null, type: error.error?.error?.type ?? null };
  }
}

const seen = {};

const whole = await client.messages.create({ ...base, messages: [user("SC:hello whole")] });
seen.whole = { text: text(whole), type: whole.type, role: whole.role, stop_reason: whole.stop_reason,
  output_tokens: whole.usage.output_tokens, request_id: whole._request_id ?? null };

const streamed = await client.messages.stream({ ...base, messages: [user("SC:hello streamed")] }).finalMessage();
seen.streamed = { text: text(streamed), stop_reason: streamed.stop_reason };

// The agent runs a tool of its own, so its turn has several messages within: the client's helper throws at two starts.
const merged = await client.messages.stream({ ...base, messages: [user("SC:saybash echo hi")] }).finalMessage();
seen.merged = { text: text(merged), stop_reason: merged.stop_reason, types: merged.content.map((block) => block.type) };

const first = [user("SC:hello conversation"), { role: "assistant", content: "Hello there, friend." }];
await client.messages.create({ ...base, messages: first.slice(0, 1) });
const goes_on = await client.messages.create({ ...base, messages: [...first, user("SC:echo")] });
seen.goes_on = text(goes_on);

const asked = [user(`SC:tool ${TOOL} {"at": "noon"}`)];
const call = await client.messages.create({ ...base, tools: [tool], messages: asked });
const use = call.content.find((block) => block.type === "tool_use");
seen.tool_call = { stop_reason: call.stop_reason, name: use?.name, input: use?.input };
const results = [{ type: "tool_result", tool_use_id: use?.id, content: "high water" }];
const messages = [...asked, { role: "assistant", content: call.content }, user(results)];
const told = await client.messages.stream({ ...base, tools: [tool], messages }).finalMessage();
seen.tool_told = { text: text(told), stop_reason: told.stop_reason };

seen.wrong_token = await failure(() =>
  new Anthropic({ baseURL: BASE_URL, apiKey: "wrong" }).messages.create({ ...base, messages: [user("SC:hello")] }));
seen.no_messages = await failure(() => client.messages.create({ ...base, messages: [] }));
seen.failed = await failure(() => client.messages.create({ ...base, messages: [user("SC:error 400")] }));
seen.failed_stream = await failure(() =>
  client.messages.stream({ ...base, messages: [user("SC:error 403")] }).finalMessage());

const cancelled = client.messages.stream({ ...base, messages: [user("SC:slow 1000 ms=20")] });
cancelled.on("text", () => cancelled.abort());
seen.cancelled = await failure(() => cancelled.finalMessage());

seen.tokens = (await client.messages.countTokens({ model: base.model, messages: [user("How many?")] })).input_tokens;
seen.models = [];
for await (const model of client.models.list()) seen.models.push(model.id);

console.log(JSON.stringify(seen));
