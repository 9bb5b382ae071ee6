"""Bring the database up to date: ``python -m common.migrations``."""

from common import logs, migrations, settings


def main() -> None:
    """Run all steps that the database named by ``DATABASE_URL`` lacks."""
    logs.configure()
    migrations.upgrade_from(settings.load("migrate"))


if __name__ == "__main__":
    main()
