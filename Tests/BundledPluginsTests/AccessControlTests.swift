import EntityModel
import Testing

@testable import BundledPlugins
@testable import PluginKit

@Suite("ip-restriction, key-auth, acl, route-by-header and request-termination")
struct AccessControlTests {
  // MARK: ip-restriction

  @Test(
    "ranges hold what they say",
    arguments: [
      (["10.0.0.0/8", "127.0.0.0/24"], "127.0.0.255", true), (["127.9.9.9/8"], "127.0.0.1", true),
      (["127.0.0.0/31"], "127.0.0.2", false), (["0.0.0.0/0"], "1.2.3.4", true), (["::/0"], "1.2.3.4", false),
      (["::ffff:127.0.0.1"], "127.0.0.1", false), (["fe80::/10"], "febf::1", true), (["fe80::/10"], "fec0::1", false),
      (["10.0.0.0/8", "10.1.0.0/16", "10.255.0.0/16"], "10.200.0.1", true), (["1.1.1.1", "1.1.1.3"], "1.1.1.2", false),
      (["2001:db8::/64"], "2001:db8::ffff:ffff:ffff:ffff", true), (["2001:db8::/64"], "2001:db8:0:1::", false),
    ])
  func ranges(_ blocks: [String], _ address: String, _ expected: Bool) throws {
    let set = IPRangeSet(blocks.compactMap { CIDRBlock($0) })
    #expect(set.contains(try #require(IPAddress(address))) == expected)
  }

  @Test("a denied address is refused although it is allowed; status and message are the configured ones")
  func restriction() throws {
    let bed = PluginTestBed()
    try bed.access(
      IPRestriction.definition,
      ["allow": ["127.0.0.1"], "deny": ["127.0.0.0/8"], "status": 418, "message": "go \"away\""])
    #expect(bed.context.earlyResponse?.status == 418)
    #expect(bed.answer?.contains(#"go \"away\""#) == true)
    let other = PluginTestBed()
    try other.access(IPRestriction.definition, ["allow": ["10.0.0.0/8"]])
    #expect(other.context.earlyResponse?.status == 403)
    #expect(other.answer?.contains("IP address not allowed: 127.0.0.1") == true)
    let passing = PluginTestBed()
    try passing.access(IPRestriction.definition, ["deny": ["10.0.0.0/8"]])
    #expect(passing.context.earlyResponse == nil)
  }

  @Test("a status that no response can have is refused")
  func impossibleStatus() {
    #expect(throws: SchemaViolations.self) {
      try PluginTestBed.validated(IPRestriction.definition, ["deny": ["::1"], "status": 1000])
    }
  }

  // MARK: key-auth and acl

  private static let consumers = ConsumerDirectory(
    ConfigSnapshot(
      entities: [
        "consumers": [
          ["id": "c1", "username": "alice", "custom_id": "a-1"], ["id": "c2", "custom_id": "only"],
          ["id": "c9", "username": "guest"],
        ],
        "keyauth_credentials": [
          ["id": "k1", "key": "alice-key", "consumer": ["id": "c1"], "created_at": 999_000, "ttl": .null],
          ["id": "k2", "key": "short", "consumer": ["id": "c1"], "created_at": 999_000, "ttl": 1000],
          ["id": "k3", "key": "longer", "consumer": ["id": "c2"], "created_at": 999_000, "ttl": 1001],
        ],
        "acls": [
          ["consumer": ["id": "c1"], "group": "admins"], ["consumer": ["id": "c1"], "group": "staff"],
        ],
        "consumer_groups": [["id": "g1", "name": "gold"], ["id": "g2", "name": "basic"]],
        "consumer_group_consumers": [
          ["consumer": ["id": "c1"], "consumer_group": ["id": "g1"]],
          ["consumer": ["id": "c1"], "consumer_group": ["id": "g2"]],
        ],
      ], hash: "", number: 1))

  private func keyAuth(_ bed: PluginTestBed, _ config: JSONValue = [:]) throws {
    try bed.access(KeyAuth.definition, config, consumers: Self.consumers)
  }

  @Test("a key makes its consumer known; spoofed headers go and the key is hidden")
  func key() throws {
    let bed = PluginTestBed(
      target: "/?b=x+y&apikey=other&a=1",
      headers: [("ApiKey", "alice-key"), ("X-Consumer-Custom-ID", "fake"), ("X-Anonymous-Consumer", "true")])
    try keyAuth(bed)
    #expect(bed.context.earlyResponse == nil)
    #expect(bed.header("apikey") == nil)
    #expect(bed.query == "b=x%20y&a=1")
    #expect(bed.header("x-consumer-id") == "c1")
    #expect(bed.header("x-consumer-username") == "alice")
    #expect(bed.header("x-consumer-custom-id") == "a-1")
    #expect(bed.header("x-credential-identifier") == "k1")
    #expect(bed.header("x-anonymous-consumer") == nil)
    #expect(bed.context.consumerGroups.compactMap { $0["name"]?.string } == ["basic", "gold"])
  }

  @Test(
    "requests without a good key are refused",
    arguments: [
      ("/", [], "No API key found in request"), ("/?apikey", [], "No API key found in request"),
      ("/?ApiKey=alice-key", [], "No API key found in request"), ("/?apikey=nope", [], "Unauthorized"),
      ("/?apikey=a&apikey=b", [], "Duplicate API key found"), ("/?apikey=short", [], "Unauthorized"),
      ("/?apikey=alice-key", [("apikey", "")], "No API key found in request"),
      ("/", [("apikey", "a"), ("apikey", "a")], "Duplicate API key found"),
    ] as [(String, [(String, String)], String)])
  func refused(_ target: String, _ headers: [(String, String)], _ message: String) throws {
    let bed = PluginTestBed(target: target, headers: headers)
    try keyAuth(bed, ["realm": "my realm"])
    #expect(bed.context.earlyResponse?.status == 401)
    #expect(bed.answer?.contains(message) == true)
    #expect(
      bed.context.earlyResponse?.headers.contains { $0 == ("WWW-Authenticate", "Key realm=\"my realm\"") } == true)
  }

  @Test("a key lives as long as its ttl")
  func lifetime() throws {
    let bed = PluginTestBed(headers: [("apikey", "longer")])
    try keyAuth(bed)
    #expect(bed.header("x-consumer-id") == "c2")
    #expect(bed.header("x-consumer-username") == nil)
  }

  @Test("a key in the body is found and hidden in each of the three types")
  func bodies() throws {
    let types = [
      ("application/json", #"{"apikey":"alice-key","n":1}"#, #"{"n":1}"#),
      ("application/x-www-form-urlencoded", "b=2&apikey=alice-key&a=1", "a=1&b=2"),
      (
        "multipart/form-data; boundary=x",
        "--x\r\nContent-Disposition: form-data; name=\"apikey\"\r\n\r\nalice-key\r\n--x--\r\n", "--x--\r\n"
      ),
    ]
    for (type, body, rest) in types {
      let bed = PluginTestBed(method: .post, headers: [("Content-Type", type)], body: body, deliversLater: true)
      try keyAuth(bed, ["key_in_body": true])
      bed.deliverBody()
      #expect(bed.resumed.count == 1)
      #expect(bed.header("x-consumer-id") == "c1")
      #expect(bed.bodyText == rest)
    }
  }

  @Test("the anonymous consumer stands in, and its absence is an error only when it is needed")
  func anonymous() throws {
    let bed = PluginTestBed(headers: [("X-Credential-Identifier", "fake")])
    try keyAuth(bed, ["anonymous": "guest"])
    #expect(bed.context.consumer?.id == "c9")
    #expect(bed.header("x-anonymous-consumer") == "true")
    #expect(bed.header("x-credential-identifier") == nil)
    let missing = PluginTestBed()
    try keyAuth(missing, ["anonymous": "nobody"])
    #expect(missing.context.earlyResponse?.status == 500)
    #expect(missing.answer?.contains("anonymous consumer nobody is configured but doesn't exist") == true)
    let good = PluginTestBed(headers: [("apikey", "alice-key")])
    try keyAuth(good, ["anonymous": "nobody"])
    #expect(good.context.consumer?.id == "c1")
  }

  @Test("OPTIONS may pass without a key, principals are refused")
  func options() throws {
    let bed = PluginTestBed(method: .options)
    try keyAuth(bed, ["run_on_preflight": false])
    #expect(bed.context.earlyResponse == nil && bed.context.consumer == nil)
    #expect(throws: SchemaViolations.self) {
      try PluginTestBed.validated(KeyAuth.definition, ["principals": ["enabled": true]])
    }
  }

  @Test(
    "groups decide, with or without a consumer",
    arguments: [
      (["allow": ["staff"]], "alice-key", nil, "admins, staff"), (["allow": ["users"]], "alice-key", 403, nil),
      (["deny": ["staff"]], "alice-key", 403, nil), (["deny": ["users"]], "alice-key", nil, "admins, staff"),
      (["allow": ["staff"]], "longer", 403, nil), (["deny": ["staff"]], "longer", nil, ""),
      (["allow": ["staff"]], "", 401, nil), (["deny": ["staff"]], "", 401, nil),
      (["allow": ["gold"]], "alice-key", 403, nil),
      (["allow": ["gold"], "include_consumer_groups": true], "alice-key", nil, "admins, staff, basic, gold"),
      (["allow": ["staff"], "hide_groups_header": true], "alice-key", nil, nil),
    ] as [(JSONValue, String, Int?, String?)])
  func groups(_ config: JSONValue, _ key: String, _ status: Int?, _ header: String?) throws {
    let bed = PluginTestBed(headers: [("apikey", key)])
    if !key.isEmpty { try keyAuth(bed) }
    try bed.access(ACL.definition, config, consumers: Self.consumers)
    #expect(bed.context.earlyResponse?.status == status)
    #expect(bed.header("x-consumer-groups") == header)
  }

  // MARK: route-by-header and request-termination

  @Test("the first rule whose headers are all there chooses the upstream")
  func routing() throws {
    let config: JSONValue = [
      "rules": [
        ["upstream_name": "both", "condition": ["X-A": "1", "x-b": "2"]],
        ["upstream_name": "one", "condition": ["x-a": "1"]],
      ]
    ]
    let both = PluginTestBed(headers: [("x-a", "1"), ("X-B", "2")])
    try both.access(RouteByHeader.definition, config)
    #expect(both.context.upstream.host == "both")
    let one = PluginTestBed(headers: [("X-A", "1"), ("X-B", "3")])
    try one.access(RouteByHeader.definition, config)
    #expect(one.context.upstream.host == "one")
    let unknown = PluginTestBed(headers: [("X-A", "1")])
    unknown.context.upstreamExists = { _ in false }
    try unknown.access(RouteByHeader.definition, config)
    #expect(unknown.context.earlyResponse?.status == 500)
  }

  @Test("termination answers in JSON, with the configured body, or only when triggered")
  func termination() throws {
    let plain = PluginTestBed(headers: [("Accept", "text/html")])
    try plain.access(RequestTermination.definition, [:])
    #expect(plain.answer == #"{"message":"Service unavailable"}"#)
    let typed = PluginTestBed()
    try typed.access(
      RequestTermination.definition, ["status_code": 200, "body": "<b>", "content_type": "text/html"])
    #expect(typed.answer == "<b>")
    let quiet = PluginTestBed(target: "/?x-stop=1")
    try quiet.access(RequestTermination.definition, ["trigger": "X-Stop"])
    #expect(quiet.context.earlyResponse == nil)
    let triggered = PluginTestBed(target: "/?X-Stop")
    try triggered.access(RequestTermination.definition, ["trigger": "X-Stop", "echo": true, "message": "m"])
    #expect(triggered.answer?.contains(#""message":"m""#) == true)
    #expect(throws: SchemaViolations.self) {
      try PluginTestBed.validated(RequestTermination.definition, ["message": "a", "body": "b"])
    }
  }
}
