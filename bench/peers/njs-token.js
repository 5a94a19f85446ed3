// The token of signet by njs, signed with HS256: the `crypto` module of njs 0.7 has no SHA-512, and its WebCrypto, which
// has, answers by promises, for which js_set does not wait. The name in double braces is filled in by
// bench/versus/native-peers.ts.

// biome-ignore lint/style/useNodejsImportProtocol: this is not Node
import crypto from 'crypto'

var header = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url')
var key = Buffer.from('{{key}}', 'hex')

/** $request_id is 128 random bits that nginx has anyway: as a UUID it is the jti. */
function token(request) {
  var now = Date.now()
  var date = new Date(now).toISOString().slice(0, 10)
  var id = request.variables.request_id
  var uuid = `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`
  var claims = `{"iat":${Math.floor(now / 1000)},"payload":{"user":"username","date":"${date}"},"jti":"${uuid}"}`
  var input = `${header}.${Buffer.from(claims).toString('base64url')}`
  return `${input}.${crypto.createHmac('sha256', key).update(input).digest('base64url')}`
}

// biome-ignore lint/style/noDefaultExport: what js_import takes
export default { token }
