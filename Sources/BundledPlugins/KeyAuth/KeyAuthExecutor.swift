import EntityModel
import NIOCore
import PluginKit

struct KeyAuthExecutor: PluginExecutor {
  let phases = PhaseSet(.access)
  let names: [String]
  let hidesKeys: Bool
  let searchesHeaders: Bool
  let searchesQuery: Bool
  let searchesBody: Bool
  let runsOnPreflight: Bool
  /// Value of `WWW-Authenticate`.
  let challenge: String
  /// The configured text and the consumer that it names, if there is one.
  let anonymous: (text: String, consumer: ConsumerInfo?)?
  let consumers: ConsumerDirectory

  func run(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome {
    if !runsOnPreflight, context.method == .options { return .finished }
    // Another plugin has authenticated the request already.
    if anonymous != nil, context.credential != nil { return .finished }
    guard searchesBody, let kind = MediaKind(ofRequest: context.requestHeaders) else {
      return authenticate(context, nil)
    }
    return BodyReading.withBody(of: context) { body in
      authenticate(
        context,
        KeyBody(
          Array(body.readableBytesView), kind, contentType: context.requestHeaders.first("content-type") ?? ""))
    }
  }

  /// What stands where a key is looked for.
  enum Finding {
    case nothing
    case text(String)
    case several
    /// Something that is no text; other names may still have the key.
    case other
  }

  private func authenticate(_ context: RequestContext, _ body: KeyBody?) -> PhaseOutcome {
    var key: String?
    search: for name in names {
      switch find(name, context, body) {
      case .nothing, .other: continue
      case .several: return refuse("Duplicate API key found", context)
      case .text(let text):
        key = text
        if hidesKeys { hide(name, context, body) }
        break search
      }
    }
    guard let key, !key.isEmpty else { return refuse("No API key found in request", context) }
    guard let credential = consumers.keyCredential(key),
      credential.isValid(atMilliseconds: context.startedAtMilliseconds)
    else { return refuse("Unauthorized", context) }
    context.credential = credential.entity
    become(credential.consumer, context)
    context.requestHeaders.set("X-Credential-Identifier", credential.id)
    context.requestHeaders.remove("X-Anonymous-Consumer")
    return .finished
  }

  private func find(_ name: String, _ context: RequestContext, _ body: KeyBody?) -> Finding {
    if searchesHeaders, let index = context.requestHeaders.firstIndex(of: name) {
      if context.requestHeaders.firstIndex(of: name, from: index + 1) != nil { return .several }
      return .text(context.requestHeaders.value(at: index))
    }
    if searchesQuery, Self.mayHaveArgument(context), let value = Arguments(queryOf: context)[name] {
      switch value {
      case .text(let text): return .text(text)
      case .list: return .several
      case .flag: return .other
      }
    }
    return body?.find(name) ?? .nothing
  }

  private static func mayHaveArgument(_ context: RequestContext) -> Bool {
    if let query = context.queryOverride { return !query.isEmpty }
    return context.withRawQuery { $0 != nil }
  }

  private func hide(_ name: String, _ context: RequestContext, _ body: KeyBody?) {
    context.requestHeaders.remove(name)
    QueryText.removeArgument(name, from: context)
    if let body, let rest = body.removing(name) {
      context.requestBody = .replaced(ByteBuffer(bytes: rest))
      context.requestHeaders.set("Content-Length", String(rest.count))
    }
  }

  private func become(_ consumer: ConsumerInfo, _ context: RequestContext) {
    context.consumer = consumer
    context.consumerGroups = consumers.consumerGroups(ofConsumer: consumer.id)
    context.requestHeaders.set("X-Consumer-ID", consumer.id)
    set("X-Consumer-Custom-ID", consumer.customID, context)
    set("X-Consumer-Username", consumer.username, context)
  }

  private func set(_ name: String, _ value: String?, _ context: RequestContext) {
    if let value {
      context.requestHeaders.set(name, value)
    } else {
      context.requestHeaders.remove(name)
    }
  }

  private func refuse(_ message: String, _ context: RequestContext) -> PhaseOutcome {
    guard let anonymous else {
      context.refuse(401, message, headers: [("WWW-Authenticate", challenge)])
      return .finished
    }
    guard let consumer = anonymous.consumer else {
      context.refuse(500, "anonymous consumer \(anonymous.text) is configured but doesn't exist")
      return .finished
    }
    context.credential = nil
    become(consumer, context)
    context.requestHeaders.remove("X-Credential-Identifier")
    context.requestHeaders.set("X-Anonymous-Consumer", "true")
    return .finished
  }
}

/// A request body in which keys are looked for; one that cannot be read has none.
struct KeyBody {
  private enum Content {
    case form(Arguments)
    case json([String: JSONValue])
    case multipart(MultipartBody)
  }

  private let content: Content

  init?(_ bytes: [UInt8], _ kind: MediaKind, contentType: String) {
    switch kind {
    case .form: content = .form(Arguments(form: bytes))
    case .json:
      guard let document = try? JSONValue(parsing: bytes), case .object(let members) = document else { return nil }
      content = .json(members)
    case .multipart:
      guard let parts = MultipartBody(bytes, contentType: contentType) else { return nil }
      content = .multipart(parts)
    }
  }

  func find(_ name: String) -> KeyAuthExecutor.Finding {
    switch content {
    case .form(let fields):
      switch fields[name] {
      case nil: return .nothing
      case .text(let text): return .text(text)
      case .list: return .several
      case .flag: return .other
      }
    case .json(let members):
      switch members[name] {
      case nil, .null: return .nothing
      case .string(let text): return .text(text)
      case .array, .object: return .several
      default: return .other
      }
    case .multipart(let parts):
      if parts.count(of: name) > 1 { return .several }
      return parts[name].map { .text($0) } ?? .nothing
    }
  }

  /// The body without the field; nil if it has none of that name.
  func removing(_ name: String) -> [UInt8]? {
    switch content {
    case .form(var fields):
      guard fields[name] != nil else { return nil }
      fields[name] = nil
      return fields.encoded
    case .json(var members):
      guard members.removeValue(forKey: name) != nil else { return nil }
      return JSONValue.object(members).serialized()
    case .multipart(var parts):
      guard parts[name] != nil else { return nil }
      parts.remove(name)
      return parts.encoded
    }
  }
}

/// Changes of a query that leave the other arguments as they are.
enum QueryText {
  /// Takes an argument away. The others keep their order and encoding, save that `+` becomes `%20`.
  static func removeArgument(_ name: String, from context: RequestContext) {
    var kept: [UInt8] = []
    var isFound = false
    func filter(_ query: UnsafeRawBufferPointer) {
      for part in query.split(separator: UInt8(ascii: "&")) {
        let end = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
        if PercentCoding.decoded(part[part.startIndex..<end]) == name {
          isFound = true
          continue
        }
        if !kept.isEmpty { kept.append(UInt8(ascii: "&")) }
        for byte in part {
          if byte == UInt8(ascii: "+") { kept += "%20".utf8 } else { kept.append(byte) }
        }
      }
    }
    if let query = context.queryOverride {
      query.withUnsafeBytes { filter($0) }
    } else {
      context.withRawQuery { if let query = $0 { filter(query) } }
    }
    if isFound { context.queryOverride = kept }
  }
}
