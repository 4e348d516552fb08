// Drives an endpoint with OpenAI's own client for Node, and prints what it made of it, as one JSON object.
// Environment: BASE_URL, TOKEN, TOOL (the name by which the agent calls the tool `tide`), PACKAGE (the client's folder).
import { createRequire } from "node:module";

const { BASE_URL, TOKEN, TOOL, PACKAGE } = process.env;
const { default: OpenAI } = await import(createRequire(PACKAGE + "/").resolve("openai"));
const client = new OpenAI({ baseURL: BASE_URL + "/v1", apiKey: TOKEN });
const model = "claude-cli/sonnet";
const user = (content) => ({ role: "user", content });
const parameters = { type: "object", properties: { at: { type: "string" } }, required: ["at"] };
const tide = { name: "tide", description: "How high the water is", parameters };

async function failure(make) {
  try {
    await make();
    return null;
  } catch (error) {
    return { name: error.constructor.name, status: error.status ?? null, type: error.type ?? null };
  }
}

const seen = {};

const whole = await client.chat.completions.create({ model, messages: [user("SC:hello whole")] });
seen.whole = { text: whole.choices[0].message.content, finish_reason: whole.choices[0].finish_reason,
  object: whole.object, total_is_sum: whole.usage.total_tokens === whole.usage.prompt_tokens + whole.usage.completion_tokens };

const streamed = client.chat.completions.stream({ model, messages: [user("SC:hello streamed")],
  stream_options: { include_usage: true } });
const final = await streamed.finalChatCompletion();
seen.streamed = { text: final.choices[0].message.content, finish_reason: final.choices[0].finish_reason,
  usage: (await streamed.totalUsage()).completion_tokens > 0 };

const merged = await client.chat.completions.stream({ model, messages: [user("SC:saybash echo hi")] }).finalChatCompletion();
seen.merged = { text: merged.choices[0].message.content, finish_reason: merged.choices[0].finish_reason };

const asked = [user(`SC:tool ${TOOL} {"at": "noon"}`)];
const tools = [{ type: "function", function: tide }];
const call = (await client.chat.completions.create({ model, tools, messages: asked })).choices[0];
const use = call.message.tool_calls?.[0];
seen.tool_call = { finish_reason: call.finish_reason, name: use?.function.name, input: use && JSON.parse(use.function.arguments) };
const messages = [...asked, call.message, { role: "tool", tool_call_id: use?.id, content: "high water" }];
const told = await client.chat.completions.stream({ model, tools, messages }).finalChatCompletion();
seen.tool_told = { text: told.choices[0].message.content, finish_reason: told.choices[0].finish_reason };

const response = await client.responses.create({ model, input: "SC:hello response" });
seen.response = { text: response.output_text, status: response.status };
const next = await client.responses.stream({ model, input: "SC:echo", previous_response_id: response.id }).finalResponse();
seen.response_goes_on = { text: next.output_text, status: next.status };
const called = await client.responses.create({ model, input: asked, tools: [{ type: "function", ...tide }] });
const wanted = called.output.find((item) => item.type === "function_call");
const output = [{ type: "function_call_output", call_id: wanted?.call_id, output: "low water" }];
const after = await client.responses.create({ model, input: output, previous_response_id: called.id,
  tools: [{ type: "function", ...tide }] });
seen.response_tool = { name: wanted?.name, text: after.output_text };

seen.wrong_token = await failure(() =>
  new OpenAI({ baseURL: BASE_URL + "/v1", apiKey: "wrong" }).chat.completions.create({ model, messages: [user("x")] }));
seen.no_messages = await failure(() => client.chat.completions.create({ model, messages: [] }));
seen.failed = await failure(() => client.chat.completions.create({ model, messages: [user("SC:error 400")] }));
seen.failed_stream = await failure(() =>
  client.chat.completions.stream({ model, messages: [user("SC:error 403")] }).finalChatCompletion());

const cancelled = client.chat.completions.stream({ model, messages: [user("SC:slow 1000 ms=20")] });
cancelled.on("content", () => cancelled.abort());
seen.cancelled = await failure(() => cancelled.finalChatCompletion());

seen.models = [];
for await (const each of client.models.list()) seen.models.push(each.id);

console.log(JSON.stringify(seen));
