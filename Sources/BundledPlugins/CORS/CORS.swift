import EntityModel
import PluginKit

/// `cors`: tells browsers which pages of other origins may use a service (WHATWG Fetch, CORS protocol).
enum CORS {
  static let definition = PluginDefinition.bundled(schema, phases: [.access, .headerFilter], Implementation())

  private static let methods: [JSONValue] = [
    "GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT",
  ]

  static let schema = PluginSchema(
    "cors", protocols: PluginFields.protocolsHTTP, without: [PluginScope.consumer, PluginScope.consumerGroup],
    config: PluginFields.config([
      "origins": .array(
        of: .string.checked(
          by: .custom("origin") { value in
            value.string.flatMap { CORSOrigin($0) == nil ? "'\($0)' is not a valid regex" : nil }
          })
      ).described("Origins that may use the service: hosts, origins, or regular expressions of whole origins."),
      "headers": .array(of: .string).described("Request headers that pages may set; those asked for if none."),
      "exposed_headers": .array(of: .string).described("Response headers that pages may read."),
      "methods": .array(of: .string.checked(by: .oneOf(methods))).defaulting(to: .array(methods))
        .described("Methods that pages may use."),
      "max_age": .number.described("Seconds for which browsers may keep the answer to a preflight request."),
      "credentials": PluginFields.flag(false, "Whether pages may send credentials."),
      "private_network": PluginFields.flag(false, "Whether public pages may use a service of a private network."),
      "preflight_continue": PluginFields.flag(false, "Whether preflight requests go to the upstream."),
      "allow_origin_absent": PluginFields.flag(true, "Whether responses to requests without Origin are marked."),
    ]))

  struct Implementation: PluginImplementation {
    func makeExecutor(for instance: PluginInstance) throws(PluginCompileError) -> any PluginExecutor {
      CORSExecutor(instance.config)
    }
  }
}

/// Answers preflight requests, and marks all other responses.
final class CORSExecutor: PluginExecutor {
  let phases = PhaseSet([.access, .headerFilter])
  private let origins: CORSOrigins
  private let allowedHeaders: String?
  private let exposedHeaders: String?
  private let methods: String
  private let maximumAge: String?
  private let allowsCredentials: Bool
  private let allowsPrivateNetwork: Bool
  private let passesPreflight: Bool
  private let marksAbsentOrigin: Bool

  init(_ config: JSONValue) {
    func joined(_ list: String) -> String? {
      let texts = config.strings(list)
      return texts.isEmpty ? nil : texts.joined(separator: ",")
    }
    origins = CORSOrigins(config.strings("origins"))
    allowedHeaders = joined("headers")
    exposedHeaders = joined("exposed_headers")
    methods = joined("methods") ?? "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT"
    maximumAge = config["max_age"].flatMap { $0.isNull ? nil : $0.serializedString }
    allowsCredentials = config.flag("credentials")
    allowsPrivateNetwork = config.flag("private_network")
    passesPreflight = config.flag("preflight_continue")
    marksAbsentOrigin = config["allow_origin_absent"]?.bool ?? true
  }

  /// Marks a request whose response is not to be touched.
  private final class Preflight {}

  func run(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome {
    switch phase {
    case .access: answerPreflight(context)
    case .headerFilter where context.pluginStates[self, as: Preflight.self] == nil: mark(context)
    default: break
    }
    return .finished
  }

  private func answerPreflight(_ context: RequestContext) {
    let request = context.requestHeaders
    guard context.method == .options, request.contains("origin"), request.contains("access-control-request-method")
    else { return }
    context.pluginStates[self, as: Preflight.self] = Preflight()
    if passesPreflight { return }
    var headers = permission(for: request.first("origin"))
    if let allowed = allowedHeaders ?? request.first("access-control-request-headers") {
      headers.append(("Access-Control-Allow-Headers", allowed))
    }
    headers.append(("Access-Control-Allow-Methods", methods))
    if let maximumAge { headers.append(("Access-Control-Max-Age", maximumAge)) }
    if allowsPrivateNetwork, request.first("access-control-request-private-network") == "true" {
      headers.append(("Access-Control-Allow-Private-Network", "true"))
    }
    context.earlyResponse = EarlyResponse(status: 200, headers: headers)
  }

  private func mark(_ context: RequestContext) {
    let origin = context.requestHeaders.first("origin")
    if !marksAbsentOrigin, origin?.isEmpty != false { return }
    context.response.headers.remove("Access-Control-Allow-Origin")
    for (name, value) in permission(for: origin) {
      guard name == "Vary" else {
        context.response.headers.set(name, value)
        continue
      }
      let known = context.response.headers.values(of: "Vary").joined(separator: ",").lowercased().split(separator: ",")
      if !known.contains(where: { $0.drop { $0 == " " } == "origin" }) { context.response.headers.add(name, value) }
    }
    if let exposedHeaders { context.response.headers.set("Access-Control-Expose-Headers", exposedHeaders) }
  }

  /// The headers that allow an origin, none if it may not use the service.
  private func permission(for origin: String?) -> [(name: String, value: String)] {
    var headers: [(name: String, value: String)] = []
    switch origins.answer(to: origin) {
    case .everyone:
      // Browsers take credentials only where the origin is named.
      guard allowsCredentials, let origin, !origin.isEmpty else { return [("Access-Control-Allow-Origin", "*")] }
      headers = [("Vary", "Origin"), ("Access-Control-Allow-Origin", origin)]
    case .only(let allowed): headers = [("Vary", "Origin"), ("Access-Control-Allow-Origin", allowed)]
    case .nobody: return [("Vary", "Origin")]
    }
    if allowsCredentials { headers.append(("Access-Control-Allow-Credentials", "true")) }
    return headers
  }
}
