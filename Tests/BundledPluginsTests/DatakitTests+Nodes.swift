import EntityModel
import GatewayTesting
import Testing

@testable import BundledPlugins

/// Branches, caches, properties, tokens and traces.
extension DatakitTests {
  // MARK: Branches

  @Test("only the chosen side of a branch runs, nested branches included", arguments: ["yes", "no", "maybe"])
  func branches(choice: String) async throws {
    let outcome = try await Bed.run(
      [
        "nodes": [
          jq("IS_YES", ".c == \"yes\"", ["input": "request.query"]),
          ["type": "branch", "name": "B1", "input": "IS_YES", "then": ["YES"], "else": ["IS_NO", "B2"]],
          jq("IS_NO", ".c == \"no\"", ["input": "request.query"]),
          ["type": "branch", "name": "B2", "input": "IS_NO", "then": ["NO"]],
          ["type": "exit", "name": "YES", "status": 201], ["type": "exit", "name": "NO", "status": 202],
          jq("SEEN", "{isNo: .}", ["input": "IS_NO", "output": "service_request.body"]),
        ]
      ], .init(target: "/?c=\(choice)"))
    switch choice {
    case "yes": #expect(outcome.status == 201)
    case "no": #expect(outcome.status == 202)
    default:
      #expect(outcome.status == nil)
      #expect(outcome.body == #"{"isNo":false}"#)
    }
  }

  @Test("a node behind a skipped one runs without its value")
  func skipped() async throws {
    let outcome = try await Bed.run([
      "nodes": [
        jq("IF", "false"), ["type": "branch", "name": "B", "input": "IF", "then": ["VALUE"]], jq("VALUE", "1"),
        jq("AFTER", "[.v]", ["inputs": ["v": "VALUE"]]), exit("AFTER"),
      ]
    ])
    #expect(outcome.answer == "[null]")
  }

  @Test("a condition that is no boolean fails")
  func badCondition() async throws {
    let outcome = try await Bed.run([
      "debug": true,
      "nodes": [
        jq("IF", "1"), ["type": "branch", "name": "B", "input": "IF", "then": ["E"]], ["type": "exit", "name": "E"],
      ],
    ])
    #expect(outcome.json["error"] == "invalid input: expected a value of the type boolean, got number")
  }

  // MARK: Cache

  @Test("a cache is missed, filled and hit")
  func cache() async throws {
    let server = try await Self.server { _ in Self.json(#"{"n":1}"#) }
    let config: JSONValue = [
      "resources": ["cache": ["strategy": "memory"]],
      "nodes": [
        ["type": "static", "name": "KEY", "values": ["key": "k"]],
        ["type": "cache", "name": "GET", "input": "KEY", "ttl": 200],
        ["type": "branch", "name": "B", "input": "GET.miss", "then": ["CALL", "SET", "MISS"], "else": ["HIT"]],
        ["type": "call", "name": "CALL", "url": .string("http://127.0.0.1:\(server.port)/")],
        ["type": "cache", "name": "SET", "ttl": 200, "inputs": ["key": "KEY.key", "data": "CALL.body"]],
        ["type": "exit", "name": "MISS", "status": 201, "inputs": ["body": "SET.data"]],
        ["type": "exit", "name": "HIT", "status": 200, "inputs": ["body": "GET.data"]],
      ],
    ]
    let id = "22222222-2222-4222-8222-\(String(UInt64.random(in: 0..<1 << 48) + 1 << 48, radix: 16).suffix(12))"
    let first = try await Bed.run(config, id: id)
    #expect(first.status == 201 && first.json == ["n": 1])
    let second = try await Bed.run(config, id: id)
    #expect(second.status == 200 && second.json == ["n": 1])
    #expect(server.requests.count == 1)
    // Another instance has its own data.
    #expect(try await Bed.run(config, id: "other").status == 201)
  }

  @Test("cached data expires, and what was not used for longest makes room")
  func cacheBounds() throws {
    let cache = DatakitCache(capacity: 8000)
    let now = ContinuousClock.now
    try cache.store(.json("a"), forKey: "short", seconds: 1, at: now)
    #expect(cache.value(forKey: "short", at: now) == .json("a"))
    #expect(cache.value(forKey: "short", at: now + .seconds(2)) == nil)
    for number in 0..<100 {
      try cache.store(.json(.string(String(repeating: "x", count: 100))), forKey: "\(number)", seconds: nil, at: now)
      #expect(cache.value(forKey: "0", at: now) != nil)
    }
    #expect(cache.value(forKey: "1", at: now) == nil)
    #expect(cache.value(forKey: "99", at: now) != nil)
    #expect(throws: DatakitFailure.self) {
      try cache.store(.json(.string(String(repeating: "x", count: 5000))), forKey: "big", seconds: nil, at: now)
    }
  }

  // MARK: Properties

  @Test("properties of client, request, node and settings can be read")
  func reading() async throws {
    let names: [(String, JSONValue)] = [
      ("kong.client.ip", "10.0.0.2"), ("kong.client.forwarded_ip", "10.0.0.1"), ("kong.request.port", 8000),
      ("kong.request.forwarded_scheme", "http"), ("kong.version", "3.15.0.0"), ("kong.node.id", "node-id"),
      ("kong.nginx.subsystem", "http"), ("kong.configuration.log_level", "info"), ("kong.client.consumer", nil),
      ("kong.route_id", nil),
    ]
    for (name, expected) in names {
      let outcome = try await Bed.run(
        [
          "nodes": [
            ["type": "property", "name": "P", "property": .string(name)], jq("J", "{v: .}", ["input": "P"]), exit("J"),
          ]
        ], .init(settings: ["log_level": "info"]))
      #expect(outcome.json == ["v": expected], "\(name)")
    }
  }

  @Test("properties of the service's request and the consumer can be written")
  func writing() async throws {
    let outcome = try await Bed.run(
      [
        "nodes": [
          [
            "type": "static", "name": "S",
            "values": ["target": "10.1.1.1:8443", "scheme": "https", "who": ["username": "bob"]],
          ],
          ["type": "property", "property": "kong.service.target", "input": "S.target"],
          ["type": "property", "property": "kong.service.request.scheme", "input": "S.scheme"],
          ["type": "property", "property": "kong.client.consumer", "input": "S.who"],
        ]
      ], .init(consumers: ["id-of-bob": "bob"]))
    #expect(outcome.upstream.host == "10.1.1.1" && outcome.upstream.port == 8443 && outcome.upstream.scheme == "https")
    #expect(outcome.consumer == "bob")
  }

  @Test("values that a property cannot take, and missing ones that must be there, fail")
  func badProperties() async throws {
    for (property, program, words) in [
      ("kong.service.target", "\"nowhere\"", "host:port"), ("kong.service.request.scheme", "\"ftp\"", "http or https"),
      ("kong.client.consumer", "\"nobody\"", "there is no such consumer"),
      ("kong.client.consumer", "{\"x\":1}", "named by its 'id'"),
    ] {
      let outcome = try await Bed.run([
        "debug": true,
        "nodes": [jq("J", program), ["type": "property", "property": .string(property), "input": "J"]],
      ])
      #expect(outcome.json["error"]?.string?.contains(words) == true, "\(outcome.json.serializedString)")
    }
    let missing = try await Bed.run([
      "debug": true, "nodes": [["type": "property", "property": "kong.client.consumer", "non_nil": true]],
    ])
    #expect(missing.json["error"] == "the value is nil")
  }

  @Test("shared values go from node to node, and JSON texts are read and written by content type")
  func shared() async throws {
    let outcome = try await Bed.run([
      "nodes": [
        jq("J", "{a: [1]}"),
        [
          "type": "property", "name": "SET", "property": "kong.ctx.shared.x", "content_type": "application/json",
          "input": "J",
        ],
        jq("AFTER", "1", ["input": "SET"]),
        jq("IF", "true", ["input": "AFTER"]),
        ["type": "branch", "name": "B", "input": "IF", "then": ["TEXT", "VALUE", "BOTH", "EXIT"]],
        ["type": "property", "name": "TEXT", "property": "kong.ctx.shared.x"],
        ["type": "property", "name": "VALUE", "property": "kong.ctx.shared.x", "content_type": "application/json"],
        jq("BOTH", ".", ["inputs": ["text": "TEXT", "value": "VALUE"]]), exit("BOTH"),
      ]
    ])
    #expect(outcome.json == ["text": #"{"a":[1]}"#, "value": ["a": [1]]])
  }

  // MARK: Others

  @Test("a token is taken apart without a look at its signature")
  func token() async throws {
    let outcome = try await Bed.run([
      "nodes": [
        ["type": "static", "name": "S", "values": ["t": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln"]],
        ["type": "jwt_decode", "name": "D", "input": "S.t"], jq("J", ".", ["input": "D"]), exit("J"),
      ]
    ])
    #expect(outcome.json == ["header": ["alg": "none"], "payload": ["sub": "a"], "signature": "c2ln"])
  }

  @Test("tokens are signed and verified: by shared secrets, and by keys of either kind")
  func tokens() async throws {
    let elliptic: JSONValue = [
      "kty": "EC", "crv": "P-256", "kid": "k1", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
      "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
    ]
    for (algorithm, key) in [("HS256", "a secret"), ("ES256", elliptic), ("HS512", ["kty": "oct", "k": "c2VjcmV0"])]
      as [(String, JSONValue)]
    {
      let config: JSONValue = [
        "debug": true,
        "nodes": [
          ["type": "static", "name": "IN", "values": ["key": key, "claims": ["sub": "ada", "aud": ["x", "y"]]]],
          [
            "type": "jwt_sign", "name": "SIGN", "algorithm": .string(algorithm), "input": "IN", "kid": "k1",
            "static_claims": ["iss": "me", "sub": "nobody"],
          ],
          [
            "type": "jwt_verify", "name": "VERIFY", "inputs": ["token": "SIGN.token", "key": "IN.key"],
            "issuers": ["me"], "audiences": ["y"], "required_claims": ["exp"],
          ],
          jq("J", "{sub: .claims.sub, kid: .header.kid, life: (.claims.exp - .claims.iat)}", ["input": "VERIFY"]),
          exit("J"),
        ],
      ]
      let outcome = try await Bed.run(config)
      #expect(
        outcome.json == ["sub": "ada", "kid": "k1", "life": 300], "\(algorithm) \(outcome.json.serializedString)")
    }
  }

  @Test("tokens that are not what they should be are refused")
  func badTokens() throws {
    func token(_ claims: JSONValue, _ key: String = "secret") throws -> DatakitValue {
      let signing = try #require(DatakitToken.Signing(["algorithm": "HS256"]))
      return try signing.sign(claims: .json(claims), key: .json(.string(key)), now: 1000)[0]
    }
    func failure(_ config: JSONValue, _ token: DatakitValue, key: JSONValue = "secret", now: Double = 1000) -> String? {
      do {
        _ = try DatakitToken.Verification(config).verify(token: token, key: .json(key), now: now)
        return nil
      } catch {
        return error.reason
      }
    }
    let good = try token(["iss": "a"])
    #expect(failure([:], good) == nil)
    #expect(failure([:], good, key: "other") == "the signature of the token is not valid")
    #expect(failure(["allowed_algorithms": ["ES256"]], good) == "the algorithm of the token is not allowed")
    #expect(failure([:], good, now: 1300) == "the token has expired")
    #expect(failure(["leeway": 10], good, now: 1300) == nil)
    #expect(failure(["validate_exp": false], good, now: 9999) == nil)
    #expect(failure([:], good, now: 900) == "the token is not valid yet")
    #expect(failure(["issuers": ["b"]], good) == "the issuer of the token is not allowed")
    #expect(failure(["audiences": ["b"]], good) == "the audience of the token is not allowed")
    #expect(failure(["required_claims": ["sub"]], good) == "the token has no claim 'sub'")
    #expect(failure([:], .json("a.b.c")) == "the token is no signed JSON Web Token")
    let unsigned: DatakitValue = .json("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.")
    #expect(failure([:], unsigned) == "the algorithm of the token is not allowed")
    #expect(failure([:], good, key: "-----BEGIN PUBLIC KEY-----")?.hasPrefix("keys in PEM") == true)
    // A public key is never a shared secret.
    #expect(
      failure([:], good, key: ["kty": "RSA", "n": "AQAB", "e": "AQAB"]) == "the signature of the token is not valid")
  }

  @Test("a trace is given in debug mode to those who ask for it, in place of any answer")
  func trace() async throws {
    let config: JSONValue = ["debug": true, "nodes": [jq("J", "{a: 1}"), exit("J", ["status": 202])]]
    let outcome = try await Bed.run(config, .init(headers: [("X-DataKit-Debug-Trace", "Yes")]))
    #expect(outcome.status == 200)
    #expect(outcome.json["status"] == "PLAN_COMPLETE")
    #expect(outcome.json["nodes"]?.array?.compactMap { $0["status"]?.string } == ["NODE_COMPLETE", "NODE_COMPLETE"])
    #expect(
      outcome.json["events"]?.array?.compactMap { $0["action"]?.string } == ["run", "complete", "run", "complete"])
    #expect(try await Bed.run(config, .init(headers: [("X-DataKit-Debug-Trace", "off")])).status == 202)
    #expect(
      try await Bed.run(["nodes": config["nodes"] ?? .null], .init(headers: [("X-DataKit-Debug-Trace", "on")])).status
        == 202)
    let failed = try await Bed.run(
      ["debug": true, "nodes": [jq("J", "error(\"x\")"), exit("J")]], .init(headers: [("X-DataKit-Debug-Trace", "1")]))
    #expect(failed.status == 500)
    #expect(failed.json["status"] == "PLAN_ERROR")
    #expect(failed.json["nodes"]?.array?.compactMap { $0["status"]?.string } == ["NODE_ERROR", "NODE_CANCELED"])
    #expect(failed.json["nodes"]?.array?.first?["error"] == "x")
    let proxied = try await Bed.run(
      ["debug": true, "nodes": [jq("J", "1", ["output": "response.body"])]],
      .init(headers: [("X-DataKit-Debug-Trace", "true")], response: (200, [], "service")))
    let skipped = proxied.json["nodes"]?.array?.first { $0["name"] == "response" }
    #expect(skipped?["status"] == "NODE_SKIPPED")
  }

  @Test("secrets of the environment are values of the vault")
  func vault() async throws {
    let outcome = try await Bed.run([
      "resources": ["vault": ["home": "{vault://env/path}", "none": "{vault://env/no-such-variable-of-this-test}"]],
      "nodes": [
        jq("J", "{known: (.p | length > 0), none: .n}", ["inputs": ["p": "vault.home", "n": "vault.none"]]), exit("J"),
      ],
    ])
    #expect(outcome.json == ["known": true, "none": nil])
  }

  @Test("64 programs in a chain run one after another")
  func chain() async throws {
    var nodes: [JSONValue] = [jq("N0", "0")]
    for number in 1..<63 { nodes.append(jq("N\(number)", ". + 1", ["input": .string("N\(number - 1)")])) }
    nodes.append(exit("N62"))
    #expect(try await Bed.run(["nodes": .array(nodes)]).answer == "62")
  }
}
