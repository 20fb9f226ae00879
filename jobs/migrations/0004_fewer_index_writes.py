"""One index less to write with every claim, settle and cancel; heartbeats touch none.

The unique index carries what counts need; large ledgers take a few seconds to rebuild it.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0003_idempotency_key"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="workitem",
            name="item_once_per_job",
        ),
        migrations.RemoveIndex(
            model_name="workitem",
            name="item_counts",
        ),
        migrations.RemoveIndex(
            model_name="workitem",
            name="item_leases",
        ),
        migrations.AddIndex(
            model_name="workitem",
            index=models.Index(condition=models.Q(("state", "claimed")), fields=["job"], name="item_leases"),
        ),
        migrations.AddConstraint(
            model_name="workitem",
            constraint=models.UniqueConstraint(
                fields=("job", "key"), include=("state", "reason", "outcome"), name="item_once_per_job"
            ),
        ),
    ]
