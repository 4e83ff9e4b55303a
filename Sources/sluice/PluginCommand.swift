import ArgumentParser
import Foundation
import Gateway

/// `sluice plugin`: the loop of a plugin's author, without a gateway.
struct PluginCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plugin", abstract: "Check a streamed plugin, or run it once, from its two files.",
    subcommands: [CheckPlugin.self, RunPlugin.self])
}

/// The two files of a plugin, and the settings that it is looked at with.
struct PluginFiles: ParsableArguments {
  @Argument(help: "File of the handler.")
  var handler: String

  @Argument(help: "File of the schema.")
  var schema: String

  @Option(help: "Name of the plugin; otherwise the one in the schema, or that of its folder.")
  var name: String?

  @Option(help: "Configuration of an instance, as JSON.")
  var config: String?

  @Option(name: [.customShort("c"), .customLong("conf")], help: "Settings file of the gateway that it is for.")
  var file: String?

  /// The name of the folder that the schema is in, as Kong's plugins have it.
  private var folderName: String {
    let name = URL(filePath: schema).standardizedFileURL.deletingLastPathComponent().lastPathComponent
    return name.isEmpty || name == "/" ? "plugin" : name
  }

  /// - Parameter prefix: folder for what the settings put under `prefix`.
  func workbench(prefix: String) throws -> PluginWorkbench {
    // What the operator has set for Lua counts; everything else is that of a gateway on this machine alone.
    var environment = ProcessInfo.processInfo.environment
    for (name, value) in [
      "PREFIX": prefix, "ROLE": "traditional", "DATABASE": "off", "PROXY_LISTEN": "127.0.0.1:0", "ADMIN_LISTEN": "off",
      "STATUS_LISTEN": "off", "CUSTOM_PLUGIN_STREAMING_ENABLED": "on", "NGINX_WORKER_PROCESSES": "1",
      "PROXY_ERROR_LOG": "/dev/stderr", "PROXY_ACCESS_LOG": "off", "LOG_LEVEL": "warn",
    ] {
      environment["KONG_\(name)"] = nil
      environment["SLUICE_\(name)"] = value
    }
    do {
      let (settings, warnings) = try GatewaySettings.load(file: file, environment: environment)
      for warning in warnings { FileHandle.standardError.write(Data("[warn] \(warning)\n".utf8)) }
      return PluginWorkbench(
        name: name, supposedName: folderName, handler: try read(handler), schema: try read(schema), settings: settings)
    } catch let error as SettingsError {
      throw fail("\(error)")
    }
  }

  private func read(_ path: String) throws -> String {
    do {
      return try String(contentsOfFile: path, encoding: .utf8)
    } catch {
      throw fail("cannot read \(path): \(error.localizedDescription)")
    }
  }
}

/// Calls `body` with a folder that is removed afterwards.
private func withFolder(_ body: (String) async throws -> Void) async throws {
  let folder = NSTemporaryDirectory() + "sluice-plugin-" + UUID().uuidString
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  try await body(folder)
}

struct CheckPlugin: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Say what a control plane would say of a plugin; exit status 1 if it is refused.")

  @OptionGroup var files: PluginFiles

  func run() async throws {
    try await withFolder { folder in
      let workbench = try files.workbench(prefix: folder)
      do {
        print(try await workbench.check(configuration: files.config), terminator: "")
      } catch {
        throw fail("\(error)")
      }
    }
  }
}

struct RunPlugin: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Send one request through a plugin and print what it does.")

  @OptionGroup var files: PluginFiles

  @Option(help: "Method and target of the request, such as \"GET /path?a=1\".")
  var request = "GET /"

  @Option(name: [.customShort("H"), .long], help: "Header of the request, \"Name: value\"; may be repeated.")
  var header: [String] = []

  @Option(help: "Body of the request.")
  var body: String?

  @Option(help: "Status that the upstream answers with.")
  var upstreamStatus = 200

  @Option(help: "Header of the upstream's answer, \"Name: value\"; may be repeated.")
  var upstreamHeader: [String] = []

  @Option(help: "Body of the upstream's answer.")
  var upstreamBody: String?

  func run() async throws {
    let exchange = try exchange()
    try await withFolder { folder in
      let workbench = try files.workbench(prefix: folder)
      do {
        try await workbench.run(configuration: files.config, exchange) { line in
          FileHandle.standardOutput.write(Data((line + "\n").utf8))
        }
      } catch {
        throw fail("\(error)")
      }
    }
  }

  private func exchange() throws -> WorkbenchExchange {
    let words = request.split(separator: " ").map(String.init)
    guard words.count == 2, words[1].hasPrefix("/") else {
      throw fail("--request must be a method and a path, such as \"GET /path\", got \"\(request)\"")
    }
    guard (200...599).contains(upstreamStatus) else {
      throw fail("--upstream-status must be between 200 and 599, got \(upstreamStatus)")
    }
    var exchange = WorkbenchExchange()
    exchange.method = words[0].uppercased()
    exchange.target = words[1]
    exchange.headers = try header.map(parsed)
    exchange.body = body
    exchange.upstreamStatus = upstreamStatus
    exchange.upstreamHeaders = try upstreamHeader.map(parsed)
    if let upstreamBody { exchange.upstreamBody = upstreamBody }
    return exchange
  }

  private func parsed(_ header: String) throws -> (name: String, value: String) {
    let parts = header.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
    guard parts.count == 2, !parts[0].isEmpty else { throw fail("a header is \"Name: value\", got \"\(header)\"") }
    return (parts[0], parts[1])
  }
}
