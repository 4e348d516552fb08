// Drives an endpoint with OpenAI's own client for Node, and prints what it made of it, as one JSON object.
// Environment: BASE_URL, TOKEN, TOOL (the name by which the agent calls the tool `tide`), PACKAGE (the client's folder).
import { createRequire } from "node:module";

const { BASE_URL, TOKEN, TOOL, PACKAGE } = process.env;
const { default: OpenAI } = await import(createRequire(PACKAGE + "/").resolve("openai"));
const client = new OpenAI({ baseURL: BASE_URL + "/v1", apiKey: TOKEN });
const model = "claude-cli/sonnet";
const parameters = { type: "object", properties: { at: { type: "string" } }, required: ["at"] };
const tide = { name: "tide", description: "How high the water is", parameters };
const tools = [{ type: "function", function: tide }];
const user = (content) => ({ role: "user", content });
const seen = {};
const talk = [];

async function failure(make) {
  try {
    await make();
    return null;
  } catch (error) {
    return { status: error.status ?? null, type: error.type ?? null };
  }
}

// One conversation, as a client keeps it: the whole of it goes out each time.
async function say(message, stream) {
  talk.push(message);
  const asked = { model, tools, messages: talk };
  const completion = stream
    ? await client.chat.completions.stream({ ...asked, stream_options: { include_usage: true } }).finalChatCompletion()
    : await client.chat.completions.create(asked);
  talk.push(completion.choices[0].message);
  return completion;
}

const told = ({ choices: [choice] }) => ({ text: choice.message.content, finish_reason: choice.finish_reason });

const whole = await say(user("SC:hello from another client"), false);
const { usage } = whole;
seen.whole = { ...told(whole), object: whole.object, is_named: Boolean(whole._request_id),
  total_is_sum: usage.total_tokens === usage.prompt_tokens + usage.completion_tokens };
const streamed = await say(user("SC:two"), true);
seen.streamed = { ...told(streamed), usage: streamed.usage.completion_tokens > 0 };
seen.merged = told(await say(user("SC:saybash echo hi"), true));
seen.goes_on = told(await say(user("SC:echo"), false)).text;
const call = (await say(user(`SC:tool ${TOOL} {"at": "noon"}`), false)).choices[0];
const use = call.message.tool_calls?.[0];
seen.tool_call = { finish_reason: call.finish_reason, name: use?.function.name,
  input: use && JSON.parse(use.function.arguments) };
seen.tool_told = told(await say({ role: "tool", tool_call_id: use?.id, content: "high water" }, true));

const left = client.chat.completions.stream({ model, tools, messages: [...talk, user("SC:slow 1000 ms=20")] });
let partial = "";
left.on("content", (delta) => { partial += delta; left.abort(); });
seen.left = await failure(() => left.finalChatCompletion());
talk.push(user("SC:slow 1000 ms=20"), { role: "assistant", content: partial });
seen.after_leaving = told(await say(user("SC:echo"), false)).text;

const functions = [{ type: "function", ...tide }];
const response = await client.responses.create({ model, tools: functions, input: "SC:hello" });
seen.response = { text: response.output_text, status: response.status };
const next = await client.responses
  .stream({ model, tools: functions, input: "SC:echo", previous_response_id: response.id }).finalResponse();
seen.response_goes_on = { text: next.output_text, status: next.status };
const called = await client.responses.create({ model, tools: functions, previous_response_id: next.id,
  input: `SC:tool ${TOOL} {"at": "noon"}` });
const wanted = called.output.find((item) => item.type === "function_call");
const after = await client.responses.create({ model, tools: functions, previous_response_id: called.id,
  input: [{ type: "function_call_output", call_id: wanted?.call_id, output: "low water" }] });
seen.response_tool = { name: wanted?.name, text: after.output_text };

seen.wrong_token = await failure(() =>
  new OpenAI({ baseURL: BASE_URL + "/v1", apiKey: "wrong" }).chat.completions.create({ model, messages: [user("x")] }));
seen.no_messages = await failure(() => client.chat.completions.create({ model, messages: [] }));
seen.failed_stream = await failure(() =>
  client.chat.completions.stream({ model, messages: [user("SC:error 529")] }).finalChatCompletion());
seen.models = [];
for await (const each of client.models.list()) seen.models.push(each.id);

console.log(JSON.stringify(seen));
