// The npm SDK's client drives `agent-adapter acp`: one conversation, told as one JSON object on stdout.
// Arguments: the working folder, then the command of the agent.
import { spawn } from 'node:child_process';
import { Readable, Writable } from 'node:stream';
import * as acp from '@agentclientprotocol/sdk';

const [folder, command, ...args] = process.argv.slice(2);
const agent = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
const seen = { updates: [], asked: [], stops: {} };
let chosen = 'allow_once';
let heard = () => {};

const app = acp
  .client({ name: 'foreign' })
  .onNotification(acp.methods.client.session.update, (ctx) => {
    seen.updates.push(ctx.params.update);
    heard();
  })
  .onRequest(acp.methods.client.session.requestPermission, (ctx) => {
    seen.asked.push(ctx.params.toolCall.toolCallId);
    const option = ctx.params.options.find((each) => each.kind === chosen);
    return { outcome: { outcome: 'selected', optionId: option.optionId } };
  });

const methods = acp.methods.agent;
const stream = acp.ndJsonStream(Writable.toWeb(agent.stdin), Readable.toWeb(agent.stdout));
await app.connectWith(stream, async (ctx) => {
  seen.initialized = await ctx.request(methods.initialize, { protocolVersion: 1, clientCapabilities: {} });
  const { sessionId, configOptions } = await ctx.request(methods.session.new, { cwd: folder, mcpServers: [] });
  const say = async (name, text) => {
    const prompt = [{ type: 'text', text }];
    seen.stops[name] = (await ctx.request(methods.session.prompt, { sessionId, prompt })).stopReason;
  };
  await say('text', 'SC:hello');
  await say('allowed', `SC:bash echo made > ${folder}/made && echo done`);
  chosen = 'reject_once';
  await say('rejected', `SC:bash echo never > ${folder}/never`);

  const before = seen.updates.length;
  const words = new Promise((resolve) => {
    heard = () => seen.updates.slice(before).some((each) => each.sessionUpdate === 'agent_message_chunk') && resolve();
  });
  const slow = say('cancelled', 'SC:gate never');
  await words;
  await ctx.notify(methods.session.cancel, { sessionId });
  await slow;

  const mode = configOptions.find((each) => each.category === 'mode');
  const change = { sessionId, configId: mode.id, value: 'plan' };
  seen.options = (await ctx.request(methods.session.setConfigOption, change)).configOptions;
  seen.listed = (await ctx.request(methods.session.list, { cwd: folder })).sessions.map((each) => each.sessionId);
  await ctx.request(methods.session.close, { sessionId });

  const loading = seen.updates.length;
  await ctx.request(methods.session.load, { sessionId, cwd: folder, mcpServers: [] });
  seen.replayed = seen.updates.slice(loading);
  seen.sessionId = sessionId;
});
agent.stdin.end();
agent.on('exit', (code) => {
  seen.code = code;
  console.log(JSON.stringify(seen));
});
