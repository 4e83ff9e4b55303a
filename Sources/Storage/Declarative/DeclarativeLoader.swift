import EntityModel
import Foundation

/// Reads declarative configurations (YAML or JSON) into snapshots, all or nothing.
///
/// Source: Kong fact, declarative §1 to §3.
public struct DeclarativeLoader: Sendable {
  let definitions: PluginDefinitions

  public init(rules: StoreRules) { definitions = PluginDefinitions(rules: rules) }

  public enum Format: Sendable {
    case json, yaml
    /// JSON first, then YAML.
    case any
  }

  /// - Returns: the configuration; its hash is the MD5 of the text, its number 0.
  public func load(_ text: String, format: Format = .any) throws(DeclarativeError) -> ConfigSnapshot {
    guard case .object(let document) = try Self.value(of: text, format) else {
      throw DeclarativeError(unreadable: "expected an object")
    }
    let entities = try assemble(document, origin: .file)
    return ConfigSnapshot(entities: entities, hash: ConfigHash.md5(ofText: text.utf8), number: 0)
  }

  /// Reads a file, its form told by its extension.
  public func load(path: String) throws(DeclarativeError) -> (snapshot: ConfigSnapshot, text: String) {
    let format: Format
    switch (path as NSString).pathExtension {
    case "json": format = .json
    case "yaml", "yml": format = .yaml
    default: throw DeclarativeError(unreadable: "unknown file type: \(path). (Accepted types: json, yaml)")
    }
    let bytes: Data
    do {
      bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
      throw DeclarativeError(unreadable: "cannot read '\(path)': \(error.localizedDescription)")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw DeclarativeError(unreadable: "'\(path)' is not UTF-8 text")
    }
    return (try load(text, format: format), text)
  }

  /// The configuration of a document that was parsed already (a JSON body of `POST /config`).
  ///
  /// - Returns: the configuration; its hash is the MD5 of the document, its number 0.
  public func load(document: JSONValue) throws(DeclarativeError) -> ConfigSnapshot {
    guard case .object(let members) = document else { throw DeclarativeError(unreadable: "expected an object") }
    return ConfigSnapshot(
      entities: try assemble(members, origin: .file), hash: ConfigHash.md5(of: document), number: 0)
  }

  /// What a data plane makes of a control plane's `config_table`: validated as a file is, with all errors at once;
  /// fields that this version does not know are ignored when they are null.
  ///
  /// - Parameter hash: `config_hash` of the message; computed from the table when absent.
  public func load(configTable: JSONValue, hash: String?) throws(DeclarativeError) -> ConfigSnapshot {
    guard case .object(let members) = configTable else { throw DeclarativeError(unreadable: "expected an object") }
    let entities = try assemble(members, origin: .controlPlane)
    return ConfigSnapshot(entities: entities, hash: hash ?? ConfigHash.hash(of: entities).hash, number: 0)
  }

  private func assemble(
    _ document: [String: JSONValue], origin: DeclarativeAssembly.Origin
  ) throws(DeclarativeError) -> [String: [EntityFields]] {
    var assembly = DeclarativeAssembly(definitions: definitions, origin: origin)
    return try assembly.assemble(document)
  }

  private static func value(of text: String, _ format: Format) throws(DeclarativeError) -> JSONValue {
    do {
      if format == .json { return try JSONValue(parsing: text) }
      if format == .any, let value = try? JSONValue(parsing: text) { return value }
      return try YAMLReader.value(of: text)
    } catch {
      throw DeclarativeError(unreadable: "failed parsing declarative configuration: \(error)")
    }
  }
}

extension HybridPayload {
  /// The configuration of a control plane's `config_table`, or everything that is wrong with it.
  ///
  /// - Parameters:
  ///   - hash: `config_hash` of the message.
  ///   - rules: those of this data plane.
  public static func decode(
    _ configTable: JSONValue, hash: String?, rules: StoreRules
  ) throws(DeclarativeError) -> ConfigSnapshot {
    try DeclarativeLoader(rules: rules).load(configTable: configTable, hash: hash)
  }
}
