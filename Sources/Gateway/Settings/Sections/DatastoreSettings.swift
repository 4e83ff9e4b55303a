/// Where entities are kept.
public struct DatastoreSettings: SettingSection {
  static let title = "Datastore"

  public let database = Setting(
    "database", .choice as SettingKind<DatabaseKind>, default: "sqlite",
    """
    `sqlite` keeps entities in an embedded database under `prefix`; `off` takes them from a declarative file, from
    `POST /config` or, on a data plane, from the control plane. A data plane is `off` without being told. Kong
    compatibility: `sqlite` is Sluice's own; Kong's default is `postgres`.
    """)

  public let sqlitePath = Setting(
    "sqlite_path", .path, default: "sluice.db", own: true, "The database file for `database = sqlite`.")

  public let declarativeConfig = Setting(
    "declarative_config", SettingKind.path.orUnset(),
    """
    Declarative file (YAML or JSON) that is loaded at start with `database = off`. On a data plane it serves until the
    first configuration arrives.
    """)

  public let declarativeConfigString = Setting(
    "declarative_config_string", SettingKind.text.orUnset(), secret: true,
    "The declarative configuration itself, in place of `declarative_config`.")

  public let dbUpdateFrequency = Setting(
    "db_update_frequency", .seconds, default: "5", unit: "seconds",
    """
    How often a node looks for changes that another process wrote to the database. Changes through this node's own
    Admin API take effect at once, here and on connected data planes.
    """)
}
