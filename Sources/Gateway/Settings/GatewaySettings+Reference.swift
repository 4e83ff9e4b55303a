extension GatewaySettings {
  /// The reference page of all settings, made from their declarations.
  public static func referenceMarkdown() -> String {
    var page = """
      # Settings

      This page is generated from the declarations in `Sources/Gateway/Settings`; change them, not the page.

      A setting is looked up in this order: the environment variable `SLUICE_<NAME>`, the variable `KONG_<NAME>`, the
      file given with `-c` (`name = value` lines, `#` comments, values quoted or not, `\\#` for the character itself),
      and its default. An empty value counts as not given. An unknown name is a warning, a bad value an error.

      """
    for section in SettingCatalogue.sections {
      page += "\n## \(section.title)\n"
      for setting in section.settings {
        let declaration = setting.declaration
        page += "\n### \(declaration.name)\n\n"
        page += declaration.documentation + "\n\n"
        page += "- Accepted: \(declaration.accepted)" + (declaration.isSecret ? " (secret)" : "") + "\n"
        if let unit = declaration.unit { page += "- Unit: \(unit)\n" }
        page += "- Default: \(declaration.defaultText.isEmpty ? "not set" : "`\(declaration.defaultText)`")\n"
        if declaration.isOwn { page += "- Sluice's own: Kong has no such setting.\n" }
      }
    }
    page += "\n## Settings of Kong that have no effect yet\n\n"
    page += "They are accepted with a warning: "
    page += PeerSettingNames.all.sorted().map { "`\($0)`" }.joined(separator: ", ") + ".\n"
    return page
  }
}
