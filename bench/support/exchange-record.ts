// The exchange whose log line benches write.

import type { ExchangeRecord } from '../../src/exchange-record.ts'

export const RECORD: ExchangeRecord = {
  id: '05cbdbf9-2s',
  client: '127.0.0.1',
  method: 'POST',
  path: '/protected',
  status: 200,
  failure: undefined,
  octetsIn: 175,
  octetsOut: 1202,
  duration: 1.2345678,
  upstreamDuration: 0.98765432,
  upstream: '127.0.0.1:3000',
  reused: true,
  retried: false,
  route: undefined,
  subject: undefined,
  encoding: undefined,
  jti: '32d7d266-ebdb-473e-8efa-9af32bb818be',
}
