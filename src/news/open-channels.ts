/** The channels of a `notify` setting. */
import { createHash, randomBytes } from 'node:crypto';
import type { ChannelConfig } from '../model/host.ts';
import { type Channel, failed, messageJson, type SendAnswer } from './channel.ts';
import { formatMail } from './mail.ts';
import { sendByProgram } from './program.ts';
import { sendToWeb, type WebOptions } from './web-channel.ts';

/** `timeoutMs` is for tests. */
export type ChannelOptions = WebOptions;

export function openChannels(configs: readonly ChannelConfig[], o: ChannelOptions): Channel[] {
  return configs.map((config, n) => openChannel(config, n + 1, o));
}

function openChannel(config: ChannelConfig, number: number, o: ChannelOptions): Channel {
  return {
    key: createHash('sha256').update(JSON.stringify(config)).digest('hex').slice(0, 12),
    name: `channel ${number} (${nameOf(config)})`,
    level: config.level,
    async send(message, signal): Promise<SendAnswer> {
      const common = { env: o.env, signal, ...(o.timeoutMs === undefined ? {} : { timeoutMs: o.timeoutMs }) };
      try {
        switch (config.kind) {
          case 'script': {
            const input = `${JSON.stringify(messageJson(message))}\n`;
            return await sendByProgram([config.program], { ...common, input });
          }
          case 'mail': {
            const input = formatMail(message, config.to, randomBytes(12).toString('hex'));
            return await sendByProgram(['sendmail', '-i', '--', ...config.to], { ...common, input });
          }
          default:
            return await sendToWeb(config, message, o, signal);
        }
      } catch (error) {
        // Whatever it is, it may hold what must not be shown.
        return failed(`it failed (${error instanceof Error ? error.name : 'unknown'})`);
      }
    },
  };
}

/** Of a URL only the host: the rest may be a secret. */
function nameOf(config: ChannelConfig): string {
  switch (config.kind) {
    case 'script':
      return `script ${config.program}`;
    case 'mail':
      return 'mail';
    default:
      return config.url === null ? config.kind : `${config.kind} at ${new URL(config.url).host}`;
  }
}
