import EntityModel
import Expressions
import NIOCore
import PluginKit

/// Why a property cannot be used.
struct DatakitPropertyError: Error {
  let reason: String
}

/// What a property node reads or writes. Source: Kong fact, bundled-16 §7; pdk §1 to §5.
struct DatakitProperty: Sendable {
  enum Name: Sendable, Equatable {
    case consumer, consumerGroups, credential, identityRealmSource, forwardedIP, forwardedPort, ip, port, `protocol`
    case requestForwardedHost, requestForwardedPort, requestForwardedScheme, requestPort
    case responseSource, responseStatus, serviceResponseStatus
    case route, service, routeID, routeName, serviceID, serviceName
    case version, subsystem, nodeID
    case target, upstream, serviceScheme
    case configuration(String)
    case pluginValue(String)
    case sharedValue(String)
  }

  let name: Name
  let isSet: Bool

  private static let names: [String: (name: Name, get: Bool, set: Bool)] = [
    "kong.client.consumer": (.consumer, true, true),
    "kong.client.consumer_groups": (.consumerGroups, true, false),
    "kong.client.credential": (.credential, true, false),
    "kong.client.identity_realm_source": (.identityRealmSource, true, false),
    "kong.client.get_identity_realm_source": (.identityRealmSource, true, false),
    "kong.client.forwarded_ip": (.forwardedIP, true, false),
    "kong.client.forwarded_port": (.forwardedPort, true, false),
    "kong.client.ip": (.ip, true, false),
    "kong.client.port": (.port, true, false),
    "kong.client.protocol": (.protocol, true, false),
    "kong.request.forwarded_host": (.requestForwardedHost, true, false),
    "kong.request.forwarded_port": (.requestForwardedPort, true, false),
    "kong.request.forwarded_scheme": (.requestForwardedScheme, true, false),
    "kong.request.port": (.requestPort, true, false),
    "kong.response.source": (.responseSource, true, false),
    "kong.response.status": (.responseStatus, false, true),
    "kong.router.route": (.route, true, false),
    "kong.router.service": (.service, true, false),
    "kong.route_id": (.routeID, true, false),
    "kong.route_name": (.routeName, true, false),
    "kong.service_id": (.serviceID, true, false),
    "kong.service_name": (.serviceName, true, false),
    "kong.service.response.status": (.serviceResponseStatus, true, false),
    "kong.version": (.version, true, false),
    "kong.nginx.subsystem": (.subsystem, true, false),
    "kong.node.id": (.nodeID, true, false),
    "kong.service.target": (.target, false, true),
    "kong.service.upstream": (.upstream, false, true),
    "kong.service.request.scheme": (.serviceScheme, false, true),
    "kong.service.request_scheme": (.serviceScheme, false, true),
  ]

  init(_ text: String, isSet: Bool) throws(DatakitPropertyError) {
    self.isSet = isSet
    if let known = Self.names[text] {
      if isSet, !known.set { throw DatakitPropertyError(reason: "property '\(text)' cannot be set") }
      if !isSet, !known.get {
        throw DatakitPropertyError(reason: "property '\(text)' can only be set: connect an input")
      }
      name = known.name
    } else if let key = Self.key(of: text, in: "kong.ctx.plugin.") {
      name = .pluginValue(key)
    } else if let key = Self.key(of: text, in: "kong.ctx.shared.") {
      name = .sharedValue(key)
    } else if let key = Self.key(of: text, in: "kong.configuration.") {
      if isSet { throw DatakitPropertyError(reason: "property '\(text)' cannot be set") }
      name = .configuration(key)
    } else if text == "kong.node.memory_stats" {
      throw DatakitPropertyError(reason: "property '\(text)' is not available: this gateway has no such statistics")
    } else {
      throw DatakitPropertyError(reason: "unknown property: '\(text)'")
    }
  }

  private static func key(of text: String, in space: String) -> String? {
    guard text.hasPrefix(space), text.utf8.count > space.utf8.count else { return nil }
    return String(text.dropFirst(space.count))
  }

  /// Whether the node must be over before the service is asked.
  var isBeforeResponse: Bool { [.target, .upstream, .serviceScheme].contains(name) }

  /// Whether the node waits for the service's response.
  var isAfterResponse: Bool { [.responseStatus, .responseSource, .serviceResponseStatus].contains(name) }

  // MARK: Reading

  func read(_ context: RequestContext, _ values: DatakitPluginValues) -> DatakitValue {
    switch name {
    case .consumer: object(context.consumer?.entity)
    case .consumerGroups: context.consumerGroups.isEmpty ? .none : .json(.array(context.consumerGroups))
    case .credential: object(context.credential)
    case .identityRealmSource: .none
    case .forwardedIP: text(context.clientIP)
    case .forwardedPort: number(context.clientPort)
    case .ip: text(context.peerIP)
    case .port: number(context.peerPort)
    case .protocol: text(protocolName(context))
    case .requestForwardedHost: text(context.forwardedHost)
    case .requestForwardedPort: number(context.forwardedPort)
    case .requestForwardedScheme: text(context.forwardedScheme)
    case .requestPort: number(context.publishedPort ?? context.localPort)
    case .responseSource: text(source(context))
    case .serviceResponseStatus: context.response.upstreamStatus.map(number) ?? .none
    case .route: object(context.route?.entity)
    case .service: object(context.service?.entity)
    case .routeID: text(context.route?.id)
    case .routeName: text(context.route?.name)
    case .serviceID: text(context.service?.id)
    case .serviceName: text(context.service?.name)
    case .version: text(context.loop.node.version)
    case .subsystem: text("http")
    case .nodeID: text(context.loop.node.id)
    case .configuration(let key): context.loop.node.configuration[key].map { .json($0) } ?? .none
    case .pluginValue(let key): values[key]
    case .sharedValue(let key): shared(key, context)
    case .responseStatus, .target, .upstream, .serviceScheme: .none
    }
  }

  private func object(_ value: JSONValue?) -> DatakitValue { value.map { .json($0) } ?? .none }

  private func text(_ value: String?) -> DatakitValue { value.map { .json(.string($0)) } ?? .none }

  private func number(_ value: Int) -> DatakitValue { .json(.integer(Int64(value))) }

  private func protocolName(_ context: RequestContext) -> String {
    guard let protocols = context.route?.protocols, protocols.count == 1 else { return context.scheme }
    return protocols[0]
  }

  private func source(_ context: RequestContext) -> String {
    switch context.response.source {
    case .service: "service"
    case .exit: "exit"
    case .error, .none: "error"
    }
  }

  private func shared(_ key: String, _ context: RequestContext) -> DatakitValue {
    if let value = context.sharedValues[key] { return .json(value) }
    guard let values = context.scriptState as? any SharedContextValues,
      let value = JSONValue(values.sharedValue(forKey: key))
    else { return .none }
    return .json(value)
  }

  // MARK: Writing

  func write(
    _ value: DatakitValue, _ context: RequestContext, _ values: DatakitPluginValues
  ) throws(DatakitFailure) {
    switch name {
    case .pluginValue(let key): values[key] = value
    case .sharedValue(let key): context.sharedValues[key] = value.isNil ? .null : value.json
    case .consumer: try setConsumer(value, context)
    case .responseStatus:
      guard let status = value.json.integer, (100...599).contains(status) else {
        throw DatakitFailure("kong.response.status must be a number between 100 and 599, got \(value.kind)")
      }
      context.response.status = Int(status)
    case .target:
      guard let (host, port) = value.text.flatMap(Self.target) else {
        throw DatakitFailure("kong.service.target must be of the form \"host:port\"")
      }
      context.upstream.host = host
      context.upstream.port = port
      context.upstream.hostHeader = host
    case .upstream:
      guard let name = value.text, !name.isEmpty else {
        throw DatakitFailure("kong.service.upstream must be a string, got \(value.kind)")
      }
      if let exists = context.upstreamExists, !exists(name) {
        throw DatakitFailure("could not find an Upstream named '\(name)'")
      }
      context.upstream.host = name
    case .serviceScheme:
      guard let scheme = value.text, scheme == "http" || scheme == "https" else {
        throw DatakitFailure("kong.service.request.scheme must be http or https")
      }
      context.upstream.scheme = scheme
    default: throw DatakitFailure("the property cannot be set")
    }
  }

  /// `host:port`; an IPv6 address is in brackets.
  static func target(_ text: String) -> (host: String, port: Int)? {
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
      (1...65535).contains(port)
    else { return nil }
    let host = String(text[..<colon])
    guard ValueChecks.host(.string(host)) == nil, !host.isEmpty else { return nil }
    return (host, port)
  }

  /// By its id or its username, given as a text or as members of an object.
  private func setConsumer(_ value: DatakitValue, _ context: RequestContext) throws(DatakitFailure) {
    if value.isNil {
      context.consumer = nil
      return
    }
    let consumer: ConsumerInfo?
    if let text = value.text {
      consumer = context.findConsumer?(text, false) ?? context.findConsumer?(text, true)
    } else if let id = value.json["id"]?.string {
      consumer = context.findConsumer?(id, false)
    } else if let username = value.json["username"]?.string {
      consumer = context.findConsumer?(username, true)
    } else {
      throw DatakitFailure("a consumer is named by its 'id' or its 'username'")
    }
    guard let consumer else { throw DatakitFailure("there is no such consumer") }
    context.consumer = consumer
    if context.credential == nil { context.credential = ["consumer_id": .string(consumer.id)] }
  }
}

/// `kong.ctx.plugin` of one request.
final class DatakitPluginValues {
  private var values: [String: DatakitValue] = [:]

  subscript(key: String) -> DatakitValue {
    get { values[key] ?? .none }
    set { values[key] = newValue }
  }
}

extension JSONValue {
  /// Nil for what is missing.
  fileprivate init?(_ value: ConditionValue) {
    switch value {
    case .missing: return nil
    case .null: self = .null
    case .bool(let value): self = .bool(value)
    case .int(let value): self = .integer(value)
    case .double(let value): self = value.isFinite ? .number(value) : .null
    case .string(let value): self = .string(value)
    case .list(let values): self = .array(values.map { JSONValue($0) ?? .null })
    case .map(let members): self = .object(members.compactMapValues { JSONValue($0) })
    }
  }
}
