import CLuaBridge
import PluginKit

/// One function of the plugin API: everything the runtime, the sandbox and the reference page need to know of it.
struct PDKFunction: Sendable {
  /// From which sandbox mode on a plugin may call it.
  enum Level: String, Sendable {
    case strict, lax
    /// Without a sandbox only.
    case on
    /// Used by the runtime's own Lua code only.
    case `internal`
  }

  /// How arguments come.
  struct Wants: OptionSet, Sendable {
    let rawValue: UInt32
    static let tables = Wants(rawValue: UInt32(SLU_WANTS_TABLES))
    static let text = Wants(rawValue: UInt32(SLU_WANTS_TEXT))
    static let position = Wants(rawValue: UInt32(SLU_WANTS_POSITION))
    /// A table in the first place comes as JSON text.
    static let jsonFirst = Wants(rawValue: UInt32(SLU_WANTS_JSON_ARGUMENT))
    /// A table in the second place comes as JSON text.
    static let jsonSecond = Wants(rawValue: UInt32(SLU_WANTS_JSON_ARGUMENT) << 1)
  }

  typealias Body = @Sendable (LuaCall) throws(LuaFault) -> LuaOutcome

  /// Dotted, for example `kong.request.get_header`.
  let name: String
  let phases: PhaseList
  let level: Level
  /// As the reference page shows them, for example `name, value`.
  let arguments: String
  let summary: String
  let wants: Wants
  let body: Body

  /// A function that may wait or end the phase.
  static func controlling(
    _ name: String, _ phases: PhaseList, level: Level = .strict, arguments: String = "", wants: Wants = [],
    _ summary: String, _ body: @escaping Body
  ) -> PDKFunction {
    PDKFunction(
      name: name, phases: phases, level: level, arguments: arguments, summary: summary, wants: wants, body: body)
  }
}

extension PDKFunction {
  /// A function that only returns or raises.
  init(
    _ name: String, _ phases: PhaseList, level: Level = .strict, arguments: String = "", wants: Wants = [],
    _ summary: String, _ body: @escaping @Sendable (LuaCall) throws(LuaFault) -> Void
  ) {
    self.init(name: name, phases: phases, level: level, arguments: arguments, summary: summary, wants: wants) {
      (call) throws(LuaFault) in
      try body(call)
      return .returned
    }
  }
}

/// The phases in which a function may be called, with those that exist only in messages.
///
/// Source: Kong fact, pdk §0.
struct PhaseList: Sendable {
  let phases: PhaseSet
  /// In Kong's order, as the refusal lists them.
  let names: String

  init(_ phases: [Phase], _ others: [String] = []) {
    self.phases = PhaseSet(phases)
    names = (phases.map(\.name) + others).joined(separator: ", ")
  }

  /// Phases whose refusal is worded otherwise.
  private init(_ phases: [Phase], names: String) {
    self.phases = PhaseSet(phases)
    self.names = names
  }

  /// No check.
  static let any = PhaseList([])
  static let request = PhaseList(
    [.rewrite, .access, .balancer, .response, .headerFilter, .bodyFilter, .log], ["error", "admin_api"])
  static let requestBody = PhaseList([.rewrite, .access, .response], ["error", "admin_api"])
  static let responseReading = PhaseList([.response, .headerFilter, .bodyFilter, .log], ["error", "admin_api"])
  static let responseWriting = PhaseList(
    [.rewrite, .access, .balancer, .response, .headerFilter], ["error", "admin_api"])
  /// Of what ends a phase: the certificate phase too.
  static let exiting = PhaseList(
    [.certificate, .rewrite, .access, .balancer, .response, .headerFilter], ["error", "admin_api"])
  static let afterRewrite = PhaseList([.access, .response, .headerFilter, .bodyFilter, .log])
  static let serviceResponse = PhaseList([.response, .headerFilter, .bodyFilter, .log])
  static let beforeUpstream = PhaseList([.rewrite, .access, .balancer])
  static let serviceTarget = PhaseList([.rewrite, .access, .balancer], ["preread"])
  static let rewriteAccess = PhaseList([.rewrite, .access])
  static let access = PhaseList([.access])
  static let bodyFilter = PhaseList([.bodyFilter])
  static let log = PhaseList([.log])
  static let certificate = PhaseList([.certificate])
  static let response = PhaseList([.response])
  /// Kong compatibility: its refusal names body_filter alone, though its later versions allow response too.
  static let wholeBody = PhaseList([.response, .bodyFilter], names: "body_filter")
  static let clientCertificate = PhaseList([.rewrite, .access, .response, .balancer, .log])
  static let clientVerify = PhaseList([.rewrite, .access, .response, .balancer])
  static let serviceTuning = PhaseList([.access], ["ws_handshake"])
  static let balancerOnly = PhaseList([.balancer], ["preread"])
  static let cluster = PhaseList(
    [.initWorker, .certificate, .rewrite, .access, .balancer, .response, .headerFilter, .bodyFilter, .log],
    ["preread", "error", "admin_api", "timer"])
  static let logValues = PhaseList(
    [.certificate, .rewrite, .access, .balancer, .response, .headerFilter, .bodyFilter, .log])
  static let connection = PhaseList(
    [.certificate, .rewrite, .access, .balancer, .response, .headerFilter, .bodyFilter, .log],
    ["preread", "error", "admin_api"])
}
