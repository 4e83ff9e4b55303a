import AdminAPI
import Clustering
import EntityModel
import Foundation
import LuaRuntime
import Storage

/// `sluice config parse`: everything that is wrong with a declarative file.
public struct DeclarativeFileCheck: Sendable {
  private let loader: DeclarativeLoader

  /// The settings decide, for example, whether streamed plugins may be in the file.
  public init(settings: GatewaySettings) {
    loader = DeclarativeLoader(
      rules: GatewayParts.rules(settings: settings, inspector: LuaPluginInspector(settings: settings)))
  }

  /// - Throws: `DeclarativeError` whose description lists every error.
  public func check(path: String) throws { _ = try loader.load(path: path) }
}

/// `sluice hybrid gen_cert`.
public enum ClusterCertificateFiles {
  /// Writes a new pair; existing files are an error and stay as they are.
  public static func generate(days: Int, certificate: String, key: String) throws {
    try ClusterCertificate.writePair(
      ClusterCertificate.generate(days: days), certificatePath: certificate, keyPath: key)
  }
}

/// The reference pages that are made from declarations.
public enum ReferencePages {
  public static var configuration: String { GatewaySettings.referenceMarkdown() }
  public static var adminAPI: String { AdminEndpoints.referenceMarkdown() }
  public static var plugins: String { PluginReference(definitions: GatewayParts.bundledPlugins).markdown() }
  public static var pluginAPI: String { LuaRuntime.referenceMarkdown() }
}
