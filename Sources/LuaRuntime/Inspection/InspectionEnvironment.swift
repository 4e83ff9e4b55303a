import EntityModel

/// What the chunks of a streamed plugin find around them when they are inspected.
///
/// Source: Kong fact, pdk §8 (the lists of the strict sandbox).
struct InspectionEnvironment: Sendable {
  /// The data in byte form, ready for a state.
  let data: [UInt8]

  /// The environment of schema chunks: the Lua library, the typedefs and the schema of Redis connections.
  static let schema = InspectionEnvironment(
    common + [
      ("typedefs", Typedefs.moduleTree),
      ("redis", .members([("config_schema", SchemaTree(Typedefs.redisConfig))])),
    ])

  /// What only the wider modes have of `ngx`, inert like the rest.
  private static func absent(in mode: SandboxMode) -> [String] {
    switch mode {
    case .off, .strict: ["shared", "timer", "socket", "thread", "location", "worker_events"]
    case .lax: ["shared", "timer", "location", "worker_events"]
    case .sandbox, .on: ["worker_events"]
    }
  }

  private static let widerNamespaces = ["cache", "db", "dns", "vault", "websocket"]

  /// The environment of handler chunks, where `modules` can be required.
  static func handler(modules: [String], mode: SandboxMode = .strict) -> InspectionEnvironment {
    InspectionEnvironment(
      common + [
        ("is_handler", .bool(true)),
        ("is_trusted", .bool(mode == .on)),
        (
          "refused_modules", .members(LuaModules.refused.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })
        ),
        (
          "refused_families",
          .list(LuaModules.refusedFamilies.map { .list([.string($0.prefix), .string($0.reason)]) })
        ),
        ("null", .null),
        ("kong_version", .string("3.15.0.0")),
        ("kong_version_number", .number(31500)),
        ("request_namespaces", texts(["request", "response", "client", "router"])),
        (
          "inert_namespaces",
          texts(
            ["cluster", "ip", "jwe", "log", "nginx", "node", "plugin", "telemetry", "tracing"]
              + (mode == .off || mode == .strict ? [] : widerNamespaces))
        ),
        ("ngx_constants", .members(ngxConstants.map { ($0.0, .number($0.1)) })),
        ("ngx_absent", texts(absent(in: mode))),
        ("modules", texts(modules)),
        // Handlers take their VERSION from here.
        (
          "module_values",
          .members([
            (
              "kong.meta",
              .members([
                ("_NAME", .string("kong")), ("_VERSION", .string("3.15.0")), ("version", .string("3.15.0")),
                ("core_version", .string("3.15.0")),
              ])
            )
          ])
        ),
      ])
  }

  private init(_ members: [(String, SchemaTree)]) {
    data = SchemaTreeCodec.encode(.members(members))
  }

  private static func texts(_ values: [String]) -> SchemaTree { .list(values.map(SchemaTree.string)) }

  private static let common: [(String, SchemaTree)] = [
    ("libraries", .members(libraries.map { ($0.0, texts($0.1)) }))
  ]

  private static let libraries: [(String, [String])] = [
    ("coroutine", ["create", "resume", "running", "status", "wrap", "yield"]),
    ("jit", ["os", "arch", "version", "version_num"]),
    (
      "math",
      [
        "abs", "acos", "asin", "atan", "atan2", "ceil", "cos", "cosh", "deg", "exp", "floor", "fmod", "frexp", "huge",
        "ldexp", "log", "log10", "max", "min", "modf", "pi", "pow", "rad", "random", "sin", "sinh", "sqrt", "tan",
        "tanh",
      ]
    ),
    ("os", ["clock", "date", "difftime", "time"]),
    (
      "string",
      [
        "byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "rep", "reverse", "sub", "upper",
      ]
    ),
    (
      "table",
      [
        "clear", "clone", "concat", "foreach", "foreachi", "getn", "insert", "isarray", "isempty", "maxn", "move",
        "new", "nkeys", "pack", "remove", "sort", "unpack",
      ]
    ),
  ]

  private static let ngxConstants: [(String, Double)] = [
    ("OK", 0), ("ERROR", -1), ("AGAIN", -2), ("DONE", -4), ("DECLINED", -5),
    ("STDERR", 0), ("EMERG", 1), ("ALERT", 2), ("CRIT", 3), ("ERR", 4), ("WARN", 5), ("NOTICE", 6), ("INFO", 7),
    ("DEBUG", 8),
    ("HTTP_GET", 2), ("HTTP_HEAD", 4), ("HTTP_POST", 8), ("HTTP_PUT", 16), ("HTTP_DELETE", 32), ("HTTP_MKCOL", 64),
    ("HTTP_COPY", 128), ("HTTP_MOVE", 256), ("HTTP_OPTIONS", 512), ("HTTP_PROPFIND", 1024),
    ("HTTP_PROPPATCH", 2048), ("HTTP_LOCK", 4096), ("HTTP_UNLOCK", 8192), ("HTTP_PATCH", 16384),
    ("HTTP_TRACE", 32768),
    ("HTTP_CONTINUE", 100), ("HTTP_SWITCHING_PROTOCOLS", 101), ("HTTP_OK", 200), ("HTTP_CREATED", 201),
    ("HTTP_ACCEPTED", 202), ("HTTP_NO_CONTENT", 204), ("HTTP_PARTIAL_CONTENT", 206), ("HTTP_SPECIAL_RESPONSE", 300),
    ("HTTP_MOVED_PERMANENTLY", 301), ("HTTP_MOVED_TEMPORARILY", 302), ("HTTP_SEE_OTHER", 303),
    ("HTTP_NOT_MODIFIED", 304), ("HTTP_TEMPORARY_REDIRECT", 307), ("HTTP_PERMANENT_REDIRECT", 308),
    ("HTTP_BAD_REQUEST", 400), ("HTTP_UNAUTHORIZED", 401), ("HTTP_PAYMENT_REQUIRED", 402), ("HTTP_FORBIDDEN", 403),
    ("HTTP_NOT_FOUND", 404), ("HTTP_NOT_ALLOWED", 405), ("HTTP_NOT_ACCEPTABLE", 406), ("HTTP_REQUEST_TIMEOUT", 408),
    ("HTTP_CONFLICT", 409), ("HTTP_GONE", 410), ("HTTP_UPGRADE_REQUIRED", 426), ("HTTP_TOO_MANY_REQUESTS", 429),
    ("HTTP_CLOSE", 444), ("HTTP_ILLEGAL", 451), ("HTTP_INTERNAL_SERVER_ERROR", 500),
    ("HTTP_METHOD_NOT_IMPLEMENTED", 501), ("HTTP_BAD_GATEWAY", 502), ("HTTP_SERVICE_UNAVAILABLE", 503),
    ("HTTP_GATEWAY_TIMEOUT", 504), ("HTTP_VERSION_NOT_SUPPORTED", 505), ("HTTP_INSUFFICIENT_STORAGE", 507),
  ]
}
