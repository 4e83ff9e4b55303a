/// What a request's head says of its connection and body, for those who come after the parser.
struct RequestFraming {
  var body = HTTP1Fields.BodyLength.none
  var connection: HTTP1Fields.ConnectionOptions = []
  var hasUpgrade = false
  var version = 11

  init() {}

  init(_ head: HTTP1RequestParser.Head) {
    body = head.body
    connection = head.connection
    hasUpgrade = head.hasUpgrade
    version = head.version
  }
}
