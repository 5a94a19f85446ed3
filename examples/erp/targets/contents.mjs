// Texts and pictures of shops, by reference: CONTENTS_API_KEY=… node contents.mjs

import { serveTarget } from './crud.mjs'

const CONTENTS = {
  WAL001: [
    { title: 'Opening hours', type: 'text/plain', text: 'Monday to Saturday, 9 to 18' },
    { title: 'Shop front', type: 'image/jpeg', url: 'https://media.example/wal001/front.jpg' },
  ],
  BBY001: [{ title: 'Returns', type: 'text/plain', text: 'Within 30 days, with the receipt' }],
}

serveTarget('contents', 'CONTENTS_API_KEY', CONTENTS, 8002)
