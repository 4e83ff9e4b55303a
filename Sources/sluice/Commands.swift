import ArgumentParser
import Foundation
import Gateway

/// Prints an error as Kong's command line does and ends with status 1.
func fail(_ message: String) -> any Error {
  FileHandle.standardError.write(Data("Error: \(message)\n".utf8))
  return ExitCode.failure
}

extension SettingsOptions {
  /// Reads the settings; warnings go to standard error.
  func load() throws -> GatewaySettings {
    var environment = ProcessInfo.processInfo.environment
    if let prefix { environment["SLUICE_PREFIX"] = prefix }
    do {
      let (settings, warnings) = try GatewaySettings.load(file: file, environment: environment)
      for warning in warnings { FileHandle.standardError.write(Data("[warn] \(warning)\n".utf8)) }
      return settings
    } catch {
      throw fail("\(error)")
    }
  }
}

struct Start: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run the gateway in the foreground; SIGTERM finishes running requests, then exits.")

  @OptionGroup var options: SettingsOptions

  func run() async throws {
    let settings = try options.load()
    do {
      try await GatewayProcess(settings: settings).run()
    } catch {
      throw fail("\(error)")
    }
  }
}

struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Check the settings, and say what is wrong with them.")

  @Argument(help: "Settings file.")
  var file: String?

  func run() throws {
    var options = SettingsOptions()
    options.file = file
    options.prefix = nil
    _ = try options.load()
    print("configuration is valid")
  }
}

struct Version: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Print the version.")

  func run() {
    print("Sluice \(SluiceVersion.current), speaking Kong Gateway \(SluiceVersion.kong)")
  }
}

struct Health: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Tell whether the gateway of a prefix runs; exit status 1 if not.")

  @OptionGroup var options: SettingsOptions

  func run() throws {
    let settings = try options.load()
    guard let processID = ProcessFile(prefix: settings.prefix).runningProcess() else {
      throw fail("Sluice is not running at \(settings.prefix)")
    }
    print("sluice.......running (process \(processID))")
    print("Sluice is healthy at \(settings.prefix)")
  }
}

struct ConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config", abstract: "Work with declarative files.", subcommands: [Parse.self])

  struct Parse: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Check a declarative file (YAML or JSON) and print every error in it.")

    @Argument(help: "The file.")
    var path: String

    @OptionGroup var options: SettingsOptions

    func run() throws {
      let settings = try options.load()
      do {
        try DeclarativeFileCheck(settings: settings).check(path: path)
      } catch {
        throw fail("Failed parsing:\n\(error)")
      }
      print("parse successful")
    }
  }
}

struct Hybrid: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Work with a cluster of control plane and data planes.", subcommands: [GenerateCertificate.self])

  struct GenerateCertificate: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "gen_cert", abstract: "Make the certificate and key that a cluster shares.")

    @Option(name: [.customShort("d"), .long], help: "Days until the certificate expires.")
    var days = 1095

    @Argument(help: "File of the certificate.")
    var certificate = "./cluster.crt"

    @Argument(help: "File of the private key.")
    var key = "./cluster.key"

    func run() throws {
      guard (1...36_500).contains(days) else { throw fail("--days must be between 1 and 36500, got \(days)") }
      do {
        try ClusterCertificateFiles.generate(days: days, certificate: certificate, key: key)
      } catch {
        throw fail("\(error)")
      }
      print("Successfully generated certificate/key pairs, they have been written to:")
      print("  \(certificate)\n  \(key)")
    }
  }
}

struct QuickstartCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quickstart",
    abstract: "Run a control plane and a data plane on this machine with an example, and say what to try.")

  @Option(help: "Folder of data and logs.")
  var directory = "./quickstart-data"

  @Flag(help: "Take any free ports instead of Kong's.")
  var freePorts = false

  func run() async throws {
    let directory = URL(fileURLWithPath: directory).path
    do {
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
      let ports =
        freePorts ? try QuickstartPorts.free(rememberedIn: directory + "/ports.json") : QuickstartPorts()
      let program = try RunningProgram.path()
      try await Quickstart(directory: directory, ports: ports, program: program).run(
        announce: { text in
          print(text)
          fflush(nil)
        }, stop: { await TerminationSignal.wait() })
    } catch {
      throw fail("\(error)")
    }
  }
}

struct Reference: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print a reference page made from the declarations in the program.")

  enum Page: String, ExpressibleByArgument, CaseIterable {
    case configuration, pdk, plugins, adminAPI = "admin-api"
  }

  @Argument(help: "configuration, pdk, plugins or admin-api.")
  var page: Page

  func run() {
    switch page {
    case .configuration: print(ReferencePages.configuration, terminator: "")
    case .pdk: print(ReferencePages.pluginAPI, terminator: "")
    case .plugins: print(ReferencePages.plugins, terminator: "")
    case .adminAPI: print(ReferencePages.adminAPI, terminator: "")
    }
  }
}
