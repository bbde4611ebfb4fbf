"""What was looked at, method by method, in Google's documents: POSTs that only read, GETs that do more.

A POST that is not here stays a write: answering models (`generateContent`, `predict`) are paid for, exports write to a bucket, and
`bigquery.jobs.query` runs any statement.
"""

READS = frozenset(
    """
    testIamPermissions getIamPolicy getHealth getAncestry getOrgPolicy getEffectiveOrgPolicy listOrgPolicies
    listAvailableOrgPolicyConstraints listNetworkEndpoints listManagedInstances listPerInstanceConfigs listInstances
    listNodes listXpnHosts listErrors listCollectionIds listOptimalTrials batchGet getByDataFilter batchGetByDataFilter
    batchRead countTokens computeTokens runQuery runAggregationQuery runReport batchRunReports runPivotReport
    batchRunPivotReports runRealtimeReport runAccessReport search searchLite searchRange searchNearby searchText lookup
    findNeighbors readFeatureValues fetchFeatureValues readIndexDatapoints queryTestablePermissions queryGrantableRoles
    queryAuditableServices lintPolicy logging.entries.list calendar.freebusy.query driveactivity.activity.query
    monitoring.projects.timeSeries.query monitoring.projects.location.prometheus.api.v1.query
    analyticsdata.properties.audienceExports.query webmasters.searchanalytics.query dfareporting.dimensionValues.query
    dfareporting.reportData.query dfareporting.reports.compatibleFields.query gmailpostmastertools.domains.domainStats.query
    homegraph.devices.query safebrowsing.fullHashes.find safebrowsing.threatMatches.find
    spanner.projects.instances.databases.sessions.read playdeveloperreporting.vitals.anonrssandswapmemoryusage.query
    playdeveloperreporting.vitals.anrrate.query playdeveloperreporting.vitals.bitmapmemoryusage.query
    playdeveloperreporting.vitals.crashrate.query playdeveloperreporting.vitals.errors.counts.query
    playdeveloperreporting.vitals.excessivewakeuprate.query playdeveloperreporting.vitals.lmkrate.query
    playdeveloperreporting.vitals.slowrenderingrate.query playdeveloperreporting.vitals.slowstartrate.query
    playdeveloperreporting.vitals.stuckbackgroundwakelockrate.query
    """.split()
)
"""Methods by POST that change nothing: by the last part of the name where every method of that name is one, else in full."""

RAISED = frozenset(
    """
    cancel restore restart start move uploadScript uploadRules startOAuthFlow finishOAuthFlow generateToken generateAccessToken
    generateProviderAccessToken generateCseToken
    """.split()
)
"""Methods that change something, or hand out a credential, although some of them are GETs."""
