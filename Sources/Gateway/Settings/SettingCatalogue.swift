/// A group of settings: each stored property that is a ``Setting`` belongs to it, in the order of declaration.
protocol SettingSection: Sendable {
  /// Heading of the section on the reference page.
  static var title: String { get }
  init()
}

extension SettingSection {
  /// The settings of this section. Found by reflection so that a declaration is all there is to add.
  static var settings: [any AnySetting] {
    Mirror(reflecting: Self()).children.compactMap { $0.value as? any AnySetting }
  }
}

/// All settings, section by section.
public enum SettingCatalogue {
  static let sections: [any SettingSection.Type] = [
    GeneralSettings.self, HybridSettings.self, ListenerSettings.self, ProxySettings.self, DatastoreSettings.self,
    ResolverSettings.self, LuaSettings.self,
  ]

  static let settings: [any AnySetting] = sections.flatMap { $0.settings }

  static let byName = Dictionary(settings.map { ($0.declaration.name, $0) }, uniquingKeysWith: { first, _ in first })

  /// Every declaration in the order of the reference page.
  public static let declarations: [SettingDeclaration] = sections.flatMap { section in
    section.settings.map { setting in
      var declaration = setting.declaration
      declaration.section = section.title
      return declaration
    }
  }
}
