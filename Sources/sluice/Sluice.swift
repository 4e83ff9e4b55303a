import ArgumentParser
import Gateway

/// The command line: thin, everything else is in `Gateway`.
@main
struct Sluice: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sluice", abstract: "An API gateway that streams and clones plugins and speaks Kong's interfaces.",
    subcommands: [
      Start.self, Check.self, Version.self, Health.self, ConfigCommand.self, Hybrid.self, QuickstartCommand.self,
      PluginCommand.self, Reference.self,
    ])
}

/// Where settings come from, for the commands that read them.
struct SettingsOptions: ParsableArguments {
  @Option(name: [.customShort("c"), .customLong("conf")], help: "Settings file (key = value); environment goes first.")
  var file: String?

  @Option(name: [.customShort("p"), .long], help: "Working directory; overrides the setting `prefix`.")
  var prefix: String?
}
