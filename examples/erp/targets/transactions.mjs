// What shops have sold: TRANSACTIONS_API_KEY=… node transactions.mjs

import { serveTarget } from './crud.mjs'

/** Enough for a list that is worth compressing. */
function transactionsOf(count) {
  return Array.from({ length: count }, (_, at) => ({
    date: `2026-11-${String((at % 28) + 1).padStart(2, '0')}`,
    article: `A-${1000 + at}`,
    quantity: (at % 5) + 1,
    amount: `${((at % 9) + 1) * 25}.00`,
    currency: 'EUR',
  }))
}

serveTarget(
  'transactions',
  'TRANSACTIONS_API_KEY',
  { WAL001: transactionsOf(40), BBY001: transactionsOf(3) },
  8001,
)
