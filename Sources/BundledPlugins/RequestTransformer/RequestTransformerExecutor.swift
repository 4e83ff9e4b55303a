import EntityModel
import Logging
import NIOCore
import PluginKit

/// Changes the request on its way to the upstream: URI, method, headers, body, query, in this order.
///
/// Source: Kong fact, bundled-16 §8 and §9.
final class RequestTransformerExecutor: PluginExecutor {
  let phases = PhaseSet(.access)
  let transformation: RequestTransformation
  let pluginName: String
  let logger: Logger

  init(transformation: RequestTransformation, pluginName: String, logger: Logger) {
    self.transformation = transformation
    self.pluginName = pluginName
    self.logger = logger
  }

  func run(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome {
    let environment = TemplateEnvironment(context)
    return guarded(context) { () throws(TemplateFailure) in
      try transformURI(context, environment)
      guard let method = transformation.method else { return try afterMethod(context, environment) }
      context.method = method
      guard transformation.movesFormToQuery, MediaKind(ofRequest: context.requestHeaders) == .form else {
        return try afterMethod(context, environment)
      }
      return BodyReading.withBody(of: context) { [self] body in
        guarded(context) { () throws(TemplateFailure) in
          let fields = Arguments(form: body.readableBytesView)
          if !fields.isEmpty {
            var query = Arguments(queryOf: context)
            query.merge(fields)
            context.queryOverride = query.encoded
          }
          return try afterMethod(context, environment)
        }
      }
    }
  }

  private func afterMethod(
    _ context: RequestContext, _ environment: TemplateEnvironment
  ) throws(TemplateFailure) -> PhaseOutcome {
    try transformHeaders(context, environment)
    guard !transformation.body.isEmpty, let kind = MediaKind(ofRequest: context.requestHeaders) else {
      try transformQuery(context, environment)
      return .finished
    }
    return BodyReading.withBody(of: context) { [self] body in
      guarded(context) { () throws(TemplateFailure) in
        let operations = BodyTransformation(operations: transformation.body, environment: environment)
        let type = context.requestHeaders.first("content-type") ?? ""
        if let changed = try operations.transform(Array(body.readableBytesView), kind, contentType: type) {
          context.requestBody = .replaced(ByteBuffer(bytes: changed))
          context.requestHeaders.set("Content-Length", String(changed.count))
        }
        try transformQuery(context, environment)
        return .finished
      }
    }
  }

  /// A template that fails ends the request with 500, as an error in Kong's plugin does.
  private func guarded(
    _ context: RequestContext, _ action: () throws(TemplateFailure) -> PhaseOutcome
  ) -> PhaseOutcome {
    do {
      return try action()
    } catch {
      logger.error(
        "plugin '\(pluginName)' cannot evaluate a template: \(error), request_id: \"\(context.requestID)\"")
      return .failed
    }
  }

  private func transformURI(_ context: RequestContext, _ environment: TemplateEnvironment) throws(TemplateFailure) {
    guard let uri = transformation.uri else { return }
    let path = try uri.render(environment)
    guard path.hasPrefix("/") else { throw TemplateFailure("the path '\(path)' does not start with a slash") }
    context.upstream.path = PercentCoding.encodedPath(path)
  }

  private func transformHeaders(_ context: RequestContext, _ environment: TemplateEnvironment) throws(TemplateFailure) {
    let operations = transformation.headers
    if operations.isEmpty { return }
    if operations.mentionsHeaders { environment.captureHeaders() }
    for name in operations.remove { context.requestHeaders.remove(name) }
    for entry in operations.rename {
      guard let newName = try RequestTransformation.text(entry.value, environment) else { continue }
      let values = context.requestHeaders.values(of: entry.name)
      guard let first = values.first else { continue }
      context.requestHeaders.remove(entry.name)
      guard !RequestTransformation.isHost(newName) else {
        context.upstream.hostHeader = first
        continue
      }
      context.requestHeaders.remove(newName)
      for value in values { context.requestHeaders.add(newName, value) }
    }
    for entry in operations.replace {
      guard let value = try Self.fieldValue(entry, environment) else { continue }
      if RequestTransformation.isHost(entry.name) {
        context.upstream.hostHeader = value
      } else if context.requestHeaders.firstIndex(of: entry.name) != nil {
        context.requestHeaders.set(entry.name, value)
      }
    }
    for entry in operations.add {
      guard let value = try Self.fieldValue(entry, environment) else { continue }
      if context.requestHeaders.firstIndex(of: entry.name) == nil { context.requestHeaders.add(entry.name, value) }
    }
    for entry in operations.append {
      if let value = try Self.fieldValue(entry, environment) { context.requestHeaders.add(entry.name, value) }
    }
  }

  /// A decoded argument may hold line ends, which would begin another field.
  private static func fieldValue(
    _ entry: RequestTransformation.Entry, _ environment: TemplateEnvironment
  ) throws(TemplateFailure) -> String? {
    guard let text = try RequestTransformation.text(entry.value, environment) else { return nil }
    guard text.utf8.contains(where: { $0 == 0x0D || $0 == 0x0A || $0 == 0 }) else { return text }
    return String(decoding: text.utf8.filter { $0 != 0x0D && $0 != 0x0A && $0 != 0 }, as: UTF8.self)
  }

  private func transformQuery(_ context: RequestContext, _ environment: TemplateEnvironment) throws(TemplateFailure) {
    let operations = transformation.query
    if operations.isEmpty { return }
    var query = environment.queryArguments
    try query.transform(operations, environment)
    context.queryOverride = query.encoded
  }
}

extension Arguments {
  /// The operations of a transformation on a query. Values are strings; `append` makes lists.
  mutating func transform(
    _ operations: RequestTransformation.Operations, _ environment: TemplateEnvironment
  ) throws(TemplateFailure) {
    for name in operations.remove { self[name] = nil }
    for entry in operations.rename {
      guard let newName = try RequestTransformation.text(entry.value, environment), let value = self[entry.name] else {
        continue
      }
      self[entry.name] = nil
      self[newName] = value
    }
    for entry in operations.replace {
      let value = try RequestTransformation.text(entry.value, environment)
      if self[entry.name] != nil { self[entry.name] = value.map { .text($0) } }
    }
    for entry in operations.add {
      let value = try RequestTransformation.text(entry.value, environment)
      if self[entry.name] == nil { self[entry.name] = value.map { .text($0) } }
    }
    for entry in operations.append {
      if let value = try RequestTransformation.text(entry.value, environment) { extend(entry.name, by: value) }
    }
  }

  /// Appends a text; a flag, which is no text, is replaced.
  mutating func extend(_ name: String, by text: String) {
    if case .flag = self[name] { self[name] = nil }
    append(.text(text), to: name)
  }
}
