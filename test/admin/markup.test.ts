import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { html } from '../../src/admin/markup.ts'
import { outline } from './html-outline.ts'

const test = suite('admin/markup')

test('all five characters that HTML gives a meaning are escaped', () => {
  assert.is(
    `${html`<p>${`<a href='x' id="y">&amp;`}</p>`}`,
    '<p>&lt;a href=&#39;x&#39; id=&quot;y&quot;&gt;&amp;amp;</p>',
  )
})

test('no value ends the quoted attribute it stands in', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'<>&"\' =on') })), (value) => {
      const { elements } = outline(`${html`<p title="${value}">x</p>`}`)
      assert.is(elements.length, 1)
      assert.not.match(`${html`${value}`}`, /["'<>]/)
    }),
  )
})

test('markup within markup, alone or in a list, is escaped once and not again', () => {
  const items = ['<', '&'].map((text) => html`<li>${text}</li>`)
  assert.is(
    `${html`<ul>${items}${html`<li>${3}</li>`}</ul>`}`,
    '<ul><li>&lt;</li><li>&amp;</li><li>3</li></ul>',
  )
})

test.run()
