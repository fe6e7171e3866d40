"""A correction of moto, loaded by Python's start: a record set that was deleted can be created again, as at Route 53.

moto refuses to create what its journal says was created before, so the journal forgets what was deleted.
"""

from moto.route53 import models

change = models.Route53Backend.change_resource_record_sets


def change_and_forget(backend, zoneid, change_list):
    change(backend, zoneid, change_list)
    zone = backend.get_hosted_zone(zoneid)
    gone = [one["ResourceRecordSet"] for one in zone.rr_changes if one["Action"] == "DELETE"]
    kept = [one for one in zone.rr_changes if one["ResourceRecordSet"] not in gone]
    zone.rr_changes = models.ChangeList(kept)


models.Route53Backend.change_resource_record_sets = change_and_forget
