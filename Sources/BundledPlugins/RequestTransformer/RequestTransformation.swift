import EntityModel
import PluginKit

/// The configuration of request-transformer and request-transformer-advanced, ready to run.
struct RequestTransformation: Sendable {
  struct Entry: Sendable {
    let name: String
    /// Nil for `name:`, which in `replace` stands for nothing at all.
    let value: RequestTemplate?
  }

  /// Operations on headers or on query arguments, in the order in which they run.
  struct Operations: Sendable {
    var remove: [String] = []
    var rename: [Entry] = []
    var replace: [Entry] = []
    var add: [Entry] = []
    var append: [Entry] = []

    var isEmpty: Bool {
      remove.isEmpty && rename.isEmpty && replace.isEmpty && add.isEmpty && append.isEmpty
    }

    /// Whether a template reads headers; told once, when all entries are there.
    private(set) var mentionsHeaders = false

    fileprivate mutating func settle() {
      mentionsHeaders = [rename, replace, add, append].joined().contains { $0.value?.mentionsHeaders ?? false }
    }
  }

  struct BodyEntry: Sendable {
    let name: String
    let path: JSONPath
    let value: RequestTemplate?
    let cast: JSONCast
  }

  struct BodyOperations: Sendable {
    var remove: [(name: String, path: JSONPath)] = []
    var rename: [BodyEntry] = []
    var replace: [BodyEntry] = []
    var add: [BodyEntry] = []
    var append: [BodyEntry] = []
    /// The only top-level members that are left in the end; nil leaves all.
    var allowed: Set<String>?
    /// Whether dots and brackets in names are navigation.
    var navigates = false

    var isEmpty: Bool {
      remove.isEmpty && rename.isEmpty && replace.isEmpty && add.isEmpty && append.isEmpty && allowed == nil
    }

    /// The place that a name stands for; nil if it makes none.
    func path(_ name: String) -> JSONPath? { navigates ? JSONPath(navigating: name) : JSONPath(key: name) }
  }

  var uri: RequestTemplate?
  var method: HTTPMethod?
  /// The method has no body: fields of a form go to the query.
  var movesFormToQuery = false
  var headers = Operations()
  var query = Operations()
  var body = BodyOperations()

  init(_ instance: PluginInstance) throws(PluginCompileError) {
    let config = instance.config
    do throws(TemplateFailure) {
      if let text = config["replace"]?.text("uri") { uri = try RequestTemplate(text) }
      headers = try Self.operations(config, "headers")
      query = try Self.operations(config, "querystring")
      body = try Self.bodyOperations(config)
    } catch {
      throw PluginCompileError(plugin: instance.pluginName, reason: "\(error)")
    }
    if let name = config.text("http_method") {
      method = HTTPMethod(name.uppercased())
      movesFormToQuery = ["GET", "HEAD", "TRACE"].contains(name.uppercased())
    }
    // A header has no value that stands for nothing.
    headers.replace.removeAll { $0.value == nil }
    for part in [\Self.headers, \Self.query] {
      self[keyPath: part].add.removeAll { $0.value == nil }
      self[keyPath: part].append.removeAll { $0.value == nil }
    }
    body.add.removeAll { $0.value == nil }
    body.append.removeAll { $0.value == nil }
    headers.remove.removeAll { Self.isHost($0) }
    headers.rename.removeAll { Self.isHost($0.name) }
    headers.add.removeAll { Self.isHost($0.name) }
    headers.append.removeAll { Self.isHost($0.name) }
    headers.settle()
  }

  /// The text of an entry for one request; nil for an entry without value.
  static func text(
    _ value: RequestTemplate?, _ environment: TemplateEnvironment
  ) throws(TemplateFailure) -> String? {
    guard let value else { return nil }
    return try value.render(environment)
  }

  static func isHost(_ name: String) -> Bool { name.lowercased() == "host" }

  private static func entries(
    _ config: JSONValue, _ section: String, _ part: String
  ) throws(TemplateFailure) -> [Entry] {
    var entries: [Entry] = []
    for text in config[section]?.strings(part) ?? [] {
      guard let pair = NamedValue(text) else {
        throw TemplateFailure("config.\(section).\(part): '\(text)' must have the form name:value")
      }
      guard let value = pair.value else {
        if section == "rename" { throw TemplateFailure("config.rename.\(part): '\(text)' must have the form old:new") }
        entries.append(Entry(name: pair.name, value: nil))
        continue
      }
      do {
        entries.append(Entry(name: pair.name, value: try RequestTemplate(value)))
      } catch {
        throw TemplateFailure("config.\(section).\(part): value '\(value)' is not in supported format, error:\(error)")
      }
    }
    return entries
  }

  private static func names(_ config: JSONValue, _ part: String) -> [String] {
    (config["remove"]?.strings(part) ?? []).compactMap { NamedValue($0)?.name }
  }

  private static func operations(_ config: JSONValue, _ part: String) throws(TemplateFailure) -> Operations {
    Operations(
      remove: names(config, part), rename: try entries(config, "rename", part),
      replace: try entries(config, "replace", part), add: try entries(config, "add", part),
      append: try entries(config, "append", part))
  }

  private static func bodyOperations(_ config: JSONValue) throws(TemplateFailure) -> BodyOperations {
    var body = BodyOperations()
    body.navigates = config["dots_in_keys"]?.bool == false
    func path(_ name: String) throws(TemplateFailure) -> JSONPath {
      guard let path = body.path(name) else { throw TemplateFailure("'\(name)' is not the path of a body parameter") }
      return path
    }
    func bodyEntries(_ section: String) throws(TemplateFailure) -> [BodyEntry] {
      let types = config[section]?.strings("json_types") ?? []
      var entries: [BodyEntry] = []
      for (index, entry) in try Self.entries(config, section, "body").enumerated() {
        entries.append(
          BodyEntry(
            name: entry.name, path: try path(entry.name), value: entry.value,
            cast: index < types.count ? JSONCast(rawValue: types[index]) ?? .string : .string))
      }
      return entries
    }
    for name in names(config, "body") { body.remove.append((name, try path(name))) }
    body.rename = try bodyEntries("rename")
    if let entry = body.rename.first(where: { !$0.path.isSingle }) {
      throw TemplateFailure("config.rename.body: '\(entry.name)' stands for several places, which cannot be renamed")
    }
    body.replace = try bodyEntries("replace")
    body.add = try bodyEntries("add")
    body.append = try bodyEntries("append")
    let allowed = config["allow"]?.strings("body") ?? []
    if !allowed.isEmpty { body.allowed = Set(allowed) }
    return body
  }
}
