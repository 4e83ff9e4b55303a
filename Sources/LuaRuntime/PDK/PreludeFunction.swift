/// A function of the plugin API that the runtime's own Lua code makes: what the reference page needs to know of it.
///
/// A test holds these declarations against the tables that plugins see, in both directions.
struct PreludeFunction: Sendable {
  let name: String
  let phases: PhaseList
  let level: PDKFunction.Level
  let arguments: String
  let summary: String

  init(
    _ name: String, _ phases: PhaseList = .any, level: PDKFunction.Level = .strict, arguments: String = "",
    _ summary: String
  ) {
    self.name = name
    self.phases = phases
    self.level = level
    self.arguments = arguments
    self.summary = summary
  }
}
