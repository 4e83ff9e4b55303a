import EntityModel

/// The operations of a request transformation on a body.
struct BodyTransformation {
  let operations: RequestTransformation.BodyOperations
  let environment: TemplateEnvironment

  /// The new body; nil leaves it as it is.
  func transform(
    _ body: [UInt8], _ kind: MediaKind, contentType: String
  ) throws(TemplateFailure) -> [UInt8]? {
    switch kind {
    case .json: try transformJSON(body)
    case .form: try transformForm(body)
    case .multipart: try transformMultipart(body, contentType)
    }
  }

  private func text(_ entry: RequestTransformation.BodyEntry) throws(TemplateFailure) -> String? {
    try RequestTransformation.text(entry.value, environment)
  }

  /// With an empty body only `add` and `append` have an effect. A body that is not JSON stays.
  private func transformJSON(_ body: [UInt8]) throws(TemplateFailure) -> [UInt8]? {
    var document: JSONValue = .object([:])
    if !body.isEmpty {
      do {
        document = try JSONValue(parsing: body)
      } catch {
        return nil
      }
    }
    switch document {
    case .object, .array: break
    default: return nil
    }
    if !body.isEmpty {
      for entry in operations.remove { document = entry.path.apply(to: document) { _ in nil } }
      for entry in operations.rename {
        guard let newName = try text(entry) else { continue }
        guard let newPath = operations.path(newName), newPath.isSingle else {
          throw TemplateFailure("'\(newName)' is not the path of a body parameter")
        }
        let value = entry.path.value(in: document)
        guard value.isTruthy else { continue }
        document = entry.path.apply(to: document) { _ in nil }
        document = newPath.apply(to: document, creating: true) { _ in value }
      }
      for entry in operations.replace {
        let text = try text(entry)
        let value = text.flatMap { entry.cast.value(of: $0) }
        document = entry.path.apply(to: document) { $0.isTruthy ? text == nil ? nil : value ?? $0 : $0 }
      }
    }
    for entry in operations.add {
      let value = try text(entry).flatMap { entry.cast.value(of: $0) }
      document = entry.path.apply(to: document, creating: true) { $0.isTruthy ? $0 : value ?? $0 }
    }
    for entry in operations.append {
      guard let value = try text(entry).flatMap({ entry.cast.value(of: $0) }) else { continue }
      document = entry.path.apply(to: document, creating: true) { JSONValue.appending(value, to: $0) }
    }
    if let allowed = operations.allowed, case .object(let members) = document {
      document = .object(members.filter { allowed.contains($0.key) })
    }
    // Nothing to add to a body that is not there.
    if body.isEmpty, document == .object([:]) { return nil }
    return document.serialized()
  }

  private func transformForm(_ body: [UInt8]) throws(TemplateFailure) -> [UInt8]? {
    var fields = Arguments(form: body)
    if !body.isEmpty {
      for entry in operations.remove { fields[entry.name] = nil }
      for entry in operations.rename {
        guard let newName = try text(entry), let value = fields[entry.name] else { continue }
        fields[entry.name] = nil
        fields[newName] = value
      }
      for entry in operations.replace {
        let value = try text(entry)
        if fields[entry.name] != nil { fields[entry.name] = value.map { .text($0) } }
      }
    }
    for entry in operations.add {
      let value = try text(entry)
      if fields[entry.name] == nil { fields[entry.name] = value.map { .text($0) } }
    }
    for entry in operations.append {
      if let value = try text(entry) { fields.extend(entry.name, by: value) }
    }
    if let allowed = operations.allowed {
      for name in fields.values.keys where !allowed.contains(name) { fields[name] = nil }
    }
    return fields.encoded
  }

  /// Parts are renamed before others are removed; there is no `append`. Source: Kong fact, bundled-16 §8.
  private func transformMultipart(_ body: [UInt8], _ contentType: String) throws(TemplateFailure) -> [UInt8]? {
    guard var parts = MultipartBody(body, contentType: contentType) else { return nil }
    if !body.isEmpty {
      for entry in operations.rename {
        if let newName = try text(entry) { parts.rename(entry.name, to: newName) }
      }
      for entry in operations.remove { parts.remove(entry.name) }
      for entry in operations.replace {
        let value = try text(entry)
        if parts[entry.name] != nil {
          parts.remove(entry.name)
          if let value { parts.set(entry.name, to: value) }
        }
      }
    }
    for entry in operations.add {
      if let value = try text(entry), parts[entry.name] == nil { parts.set(entry.name, to: value) }
    }
    if let allowed = operations.allowed {
      for name in Set(parts.parts.map(\.name)) where !allowed.contains(name) { parts.remove(name) }
    }
    if body.isEmpty, parts.parts.isEmpty { return nil }
    return parts.encoded
  }
}
