import EntityModel
import NIOCore
import PluginKit

/// The configuration of response-transformer and response-transformer-advanced, ready to run.
struct ResponseTransformation: Sendable {
  /// Statuses for which a section counts; empty for all.
  struct Statuses: Sendable {
    private let ranges: [ClosedRange<Int>]

    /// Nil if an entry is neither a status nor a range of statuses.
    init?(_ texts: [String]) {
      var ranges: [ClosedRange<Int>] = []
      for text in texts {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2, first <= last,
          (100...599).contains(first), (100...599).contains(last)
        else { return nil }
        ranges.append(first...last)
      }
      self.ranges = ranges
    }

    func contains(_ status: Int) -> Bool { ranges.isEmpty || ranges.contains { $0.contains(status) } }
  }

  struct Member: Sendable {
    let path: JSONPath
    let value: JSONValue
  }

  struct Section: Sendable {
    var statuses: Statuses
    var headers: [(name: String, value: String)] = []
    var members: [Member] = []
  }

  var remove: Section
  var removedPaths: [JSONPath] = []
  var rename: Section
  var renamedPaths: [(from: JSONPath, to: JSONPath)] = []
  var replace: Section
  /// Takes the place of the whole body.
  var replacedBody: ByteBuffer?
  var add: Section
  var append: Section
  /// Lua functions that change the body, or the values at these paths of it.
  var transform: Section
  var functions: (any PluginScripts)?
  var functionCount = 0
  var transformedPaths: [JSONPath] = []
  /// Whether compressed bodies are opened, and compressed again; the plain plugin cannot read them.
  let opensGzip: Bool
  /// The only top-level members that are left in the end; nil leaves all.
  var allowed: Set<String>?

  init(_ instance: PluginInstance, _ services: PluginServices, opensGzip: Bool) throws(PluginCompileError) {
    let config = instance.config
    self.opensGzip = opensGzip
    func fault(_ reason: String) -> PluginCompileError {
      PluginCompileError(plugin: instance.pluginName, reason: reason)
    }
    let navigates = config["dots_in_keys"]?.bool == false
    func path(_ name: String) throws(PluginCompileError) -> JSONPath {
      if !navigates { return JSONPath(key: name) }
      guard let path = JSONPath(navigating: name) else { throw fault("'\(name)' is not the path of a JSON member") }
      return path
    }
    func section(_ name: String) throws(PluginCompileError) -> Section {
      let texts = config[name]?.strings("if_status") ?? []
      guard let statuses = Statuses(texts) else {
        throw fault("config.\(name).if_status: an entry must be a status or a range such as 201-204")
      }
      var section = Section(statuses: statuses)
      for text in config[name]?.strings("headers") ?? [] {
        guard let entry = NamedValue(text) else { throw fault("config.\(name).headers: '\(text)' has no name") }
        if name == "remove" {
          section.headers.append((entry.name, ""))
        } else if let value = entry.value {
          section.headers.append((entry.name, value))
        }
      }
      if name == "remove" || name == "rename" || name == "transform" { return section }
      let types = config[name]?.strings("json_types") ?? []
      for (index, text) in (config[name]?.strings("json") ?? []).enumerated() {
        guard let entry = NamedValue(text) else { throw fault("config.\(name).json: '\(text)' has no name") }
        let cast = index < types.count ? JSONCast(rawValue: types[index]) ?? .string : .string
        guard let text = entry.value, let value = cast.value(of: text) else { continue }
        section.members.append(Member(path: try path(entry.name), value: value))
      }
      return section
    }
    remove = try section("remove")
    rename = try section("rename")
    replace = try section("replace")
    add = try section("add")
    append = try section("append")
    transform = try section("transform")
    for text in config["remove"]?.strings("json") ?? [] {
      if let entry = NamedValue(text) { removedPaths.append(try path(entry.name)) }
    }
    for text in config["rename"]?.strings("json") ?? [] {
      guard let entry = NamedValue(text), let newName = entry.value else { continue }
      renamedPaths.append((try path(entry.name), try path(newName)))
    }
    replacedBody = config["replace"]?.text("body").map { ByteBuffer(string: $0) }
    let allowedNames = config["allow"]?.strings("json") ?? []
    if !allowedNames.isEmpty { allowed = Set(allowedNames) }
    let functions = config["transform"]?.strings("functions") ?? []
    for (index, text) in functions.enumerated() {
      if let problem = LuaSyntax.problem(of: text) {
        throw fault("config.transform.functions[\(index + 1)]: \(problem)")
      }
    }
    if !functions.isEmpty {
      self.functions = services.scripts.scripts(functions, .function, plugin: instance.pluginName)
      functionCount = functions.count
    }
    for name in config["transform"]?.strings("json") ?? [] { transformedPaths.append(try path(name)) }
  }

  var changesHeaders: Bool {
    [remove, rename, replace, add, append].contains { !$0.headers.isEmpty }
  }

  /// Whether any rule is about JSON bodies.
  var changesJSON: Bool {
    !removedPaths.isEmpty || !renamedPaths.isEmpty || allowed != nil || functions != nil
      || [replace, add, append].contains { !$0.members.isEmpty }
  }

  var changesBody: Bool { changesJSON || replacedBody != nil }

  // MARK: Headers

  /// Presence is judged on the headers as they were before. Source: Kong fact, bundled-16 §10.
  func transform(_ headers: inout HeaderBlock, status: Int) {
    let original = headers
    func isPresent(_ name: String) -> Bool { original.firstIndex(of: name) != nil }
    if remove.statuses.contains(status) {
      for (name, _) in remove.headers { headers.remove(name) }
    }
    if rename.statuses.contains(status) {
      for (name, newName) in rename.headers {
        let values = original.values(of: name)
        if values.isEmpty { continue }
        headers.remove(newName)
        headers.remove(name)
        for value in values { headers.add(newName, value) }
      }
    }
    if replace.statuses.contains(status) {
      for (name, value) in replace.headers where isPresent(name) { headers.set(name, value) }
    }
    if add.statuses.contains(status) {
      for (name, value) in add.headers where !isPresent(name) { headers.set(name, value) }
    }
    if append.statuses.contains(status) {
      for (name, value) in append.headers { headers.add(name, value) }
    }
  }

  // MARK: Bodies

  /// Whether any rule about bodies counts for the status.
  func changesBody(status: Int, isJSON: Bool) -> Bool {
    if replacedBody != nil, replace.statuses.contains(status) { return true }
    guard isJSON else { return false }
    return allowed != nil
      || (functions != nil && transform.statuses.contains(status))
      || (!removedPaths.isEmpty && remove.statuses.contains(status))
      || (!renamedPaths.isEmpty && rename.statuses.contains(status))
      || [replace, add, append].contains { !$0.members.isEmpty && $0.statuses.contains(status) }
  }

  /// Only objects are changed; lists are left, save where a path goes into their elements.
  ///
  /// - Throws: `PluginScriptError` when a Lua function fails.
  func transform(
    _ document: JSONValue, status: Int, _ context: RequestContext
  ) throws(PluginScriptError) -> JSONValue {
    var document = document
    if remove.statuses.contains(status) {
      for path in removedPaths { document = path.apply(to: document) { _ in nil } }
    }
    if rename.statuses.contains(status) {
      for (from, to) in renamedPaths {
        guard let value = from.value(in: document) else { continue }
        document = from.apply(to: document) { _ in nil }
        document = to.apply(to: document, creating: true) { _ in value }
      }
    }
    if replace.statuses.contains(status) {
      for member in replace.members {
        document = member.path.apply(to: document) { $0.isTruthy ? member.value : $0 }
      }
    }
    if add.statuses.contains(status) {
      for member in add.members {
        document = member.path.apply(to: document, creating: true) { $0.isTruthy ? $0 : member.value }
      }
    }
    if append.statuses.contains(status) {
      for member in append.members {
        document = member.path.apply(to: document, creating: true) { JSONValue.appending(member.value, to: $0) }
      }
    }
    if let functions, transform.statuses.contains(status) {
      document = try run(functions, on: document, context)
    }
    if let allowed, case .object(let members) = document {
      document = .object(members.filter { allowed.contains($0.key) })
    }
    return document
  }

  /// Source: Kong fact, bundled-16 §11. What a function returns for the whole body cannot be nil.
  private func run(
    _ functions: any PluginScripts, on document: JSONValue, _ context: RequestContext
  ) throws(PluginScriptError) -> JSONValue {
    var document = document
    if transformedPaths.isEmpty {
      for index in 0..<functionCount {
        guard let result = try functions.run(index, with: document, in: context) else {
          throw PluginScriptError("function \(index + 1) has returned nil in place of a body")
        }
        document = result
      }
      return document
    }
    var failure: PluginScriptError?
    for path in transformedPaths {
      document = path.apply(to: document) { value in
        guard let value, failure == nil else { return value }
        var result: JSONValue? = value
        do throws(PluginScriptError) {
          for index in 0..<functionCount {
            guard let argument = result else { break }
            result = try functions.run(index, with: argument, in: context)
          }
          return result
        } catch {
          failure = error
          return value
        }
      }
    }
    if let failure { throw failure }
    return document
  }
}
