"""Room in the outbox's pages: a drain stamps every change once, and within its page that touches no index."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("extraction", "0003_audit_state")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE extraction_vectorchange SET (fillfactor = 50)",
            "ALTER TABLE extraction_vectorchange RESET (fillfactor)",
        )
    ]
