"""Made by `python -m tools.catalog.aws_modules` from botocore 1.44.5: which host is which AWS service.

A line: the labels of a host that name the service (`firewall.classify.aws_hosts.normal_stem`; `*.` where labels may stand before
them), then, where they differ from those, `>` botocore's endpoint prefix and `@` the name in the signature's scope.
"""

ENDPOINTS = """
*.cloudfront-kvs>cloudfront-keyvaluestore *.cloudsearch>cloudsearchdomain@cloudsearch *.control-kinesis>kinesis
*.control-kinesis-queues>kinesis *.data-kinesis>kinesis *.data-kinesis-queues>kinesis *.data.mediastore@mediastore *.ddb>dynamodb
*.endpoint.events>events *.endpoints.email>email@ses *.eventsv2@events *.execute-api *.iot>data-ats.iot@iotdata *.kinesisvideo
*.neptune-graph *.osm *.search-ddb>dynamodb *.streams-ddb>streams.dynamodb@dynamodb a2i-runtime.sagemaker@sagemaker
access-analyzer account account-access account-access-runtime@account-access acm acm-acme>acm acm-pca aco-automation
admin.wickr@wickr agent-registry agent-registry-control@agent-registry agreement-marketplace@aws-marketplace aidevops aiops
airflow airflow-serverless amplify amplifybackend amplifyuibuilder analytics-omics>omics aos>es aoss
api-fulfill.dataexchange>dataexchange api.airflow>airflow api.detective@detective api.ecr@ecr api.ecr-public@ecr-public
api.iot-tunneling>api.tunneling.iot@IoTSecuredTunneling api.iotdeviceadvisor@iotdeviceadvisor
api.iotmanagedintegrations@iotmanagedintegrations api.iotsitewise>iotsitewise api.iottwinmaker>iottwinmaker
api.iotwireless@iotwireless api.mediatailor@mediatailor api.pricing@pricing api.sagemaker@sagemaker
api.sustainability>sustainability api.thinclient>thinclient api.tunneling.iot@IoTSecuredTunneling apigateway app-integrations
appconfig appconfigdata@appconfig appfabric appflow application-autoscaling application-cost-profiler application-signals
applicationinsights appmesh apprunner appstream2@appstream appsync aps arc-recovery-control-config>route53-recovery-control-config
arc-region-switch arc-region-switch-control-plane>arc-region-switch arc-zonal-shift artifact athena auditmanager autoscaling
autoscaling-plans b2bi backup backup-gateway backup-search batch bcm-dashboards bcm-data-exports bcm-pricing-calculator
bcm-recommended-actions bedrock bedrock-agent@bedrock bedrock-agent-runtime@bedrock bedrock-agentcore
bedrock-agentcore-control@bedrock-agentcore bedrock-data-automation@bedrock bedrock-data-automation-runtime@bedrock
bedrock-runtime@bedrock billing billingconductor braket budgets cases cassandra cassandra-streams@cassandra
catalog-marketplace>catalog.marketplace@aws-marketplace catalog.marketplace@aws-marketplace ce chatbot chime cleanrooms
cleanrooms-ml cloud9 cloudcontrolapi clouddirectory cloudformation cloudfront cloudhsm cloudhsmv2@cloudhsm cloudsearch
cloudsearchdomain@cloudsearch cloudtrail cloudtrail-data cloudwatch-omni@cloudwatch codeartifact codebuild codecatalyst codecommit
codeconnections codedeploy codeguru-profiler codeguru-reviewer codeguru-security codepipeline codestar-connections
codestar-notifications cognito-identity cognito-idp cognito-sync comprehend comprehendmedical compute-optimizer config connect
connect-campaigns contact-lens@connect continuum control-storage-omics>omics controlcatalog
controlplane.payment-cryptography@payment-cryptography controltower cost-optimization-hub cp.aidevops>aidevops
cp.geofencing.geo>geo cp.maps.geo>geo cp.metadata.geo>geo cp.places.geo>geo cp.routes.geo>geo cp.tracking.geo>geo cur
data-ats.iot@iotdata data-lakeformation>lakeformation data-servicediscovery>servicediscovery data-signer@signer data-signer>signer
data.ats.iot>data-ats.iot@iotdata data.iot>data-ats.iot@iotdata data.iotsitewise>iotsitewise data.iottwinmaker>iottwinmaker
data.jobs.iot@iot-jobs-data data.mediastore@mediastore data.qapps@qapps databrew dataexchange datapipeline
dataplane.payment-cryptography@payment-cryptography dataplane.rum>rum datasync datatransformation.healthlake>healthlake datazone
dax deadline deployment-marketplace@aws-marketplace detective>api.detective@detective devicefarm devops-guru directconnect
discovery discovery-marketplace@aws-marketplace dlm dms docdb-elastic dp.aidevops>aidevops drs ds ds-data dsql dynamodb ebs ec2
ec2-instance-connect ecr>api.ecr@ecr ecr-public>api.ecr-public@ecr-public ecs edge.sagemaker@sagemaker efs>elasticfilesystem eks
eks-auth elasticache elasticbeanstalk elasticfilesystem elasticloadbalancing elasticmapreduce elemental-inference email@ses
emr-containers emr-serverless end-user-messaging entitlement-marketplace>entitlement.marketplace@aws-marketplace
entitlement.marketplace@aws-marketplace entityresolution env.airflow>airflow es events eventsv2@events evs execute-api
featurestore-runtime.sagemaker@sagemaker firehose fis fms forecast forecastquery@forecast frauddetector freetier fsx gamelift
gameliftstreams geo geo-maps geo-places geo-routes geofencing.geo>geo glacier globalaccelerator glue grafana greengrass
greengrass-ats.iot>greengrass groundstation guardduty health health-agent healthlake iam iam-toolbox@iam identity-chime@chime
identitystore imagebuilder importexport@IngestionService importexport inferencerouter-runtime.sagemaker@sagemaker
ingest.timestream@timestream inspector inspector-scan inspector2 interconnect internetmonitor invoicing iot iotfleetwise
iotsitewise iotthingsgraph iottwinmaker ivs ivschat ivsrealtime@ivs job-runtime.sagemaker@sagemaker kafka kafka-api>kafka
kafkaconnect kendra kendra-ranking kinesis kinesis-queues>kinesis kinesisanalytics kinesisvideo kms lakeformation lambda
launchwizard license-manager license-manager-linux-subscriptions license-manager-user-subscriptions lightsail logs
lookoutequipment m2 machinelearning macie2 mail-manager@ses managedblockchain managedblockchain-query management.deadline>deadline
maps.geo>geo maps.geo>geo-maps marketplacecommerceanalytics media-pipelines-chime@chime mediaconnect mediaconvert medialive
mediapackage mediapackage-vod mediapackagev2 mediastore mediatailor>api.mediatailor@mediatailor medical-imaging
meetings-chime@chime memory-db@memorydb messaging-chime@chime metadata.geo>geo
metering-marketplace>metering.marketplace@aws-marketplace metering.marketplace@aws-marketplace metrics.sagemaker@sagemaker mgh mgn
migrationhub-config@mgh migrationhub-orchestrator migrationhub-strategy models-v2-lex@lex models.lex@lex
monitor.iotsitewise>iotsitewise monitoring mpa mq mturk-requester mturk-requester-sandbox>mturk-requester neptune-db neptune-graph
network-firewall network-security-manager networkflowmonitor networkmanager networkmonitor notifications notifications-contacts
nova-act oam observabilityadmin odb oidc@sso-oauth omics ops.airflow>airflow organizations osis osm outposts
participant.connect@execute-api partnercentral-account partnercentral-benefits partnercentral-channel
partnercentral-prm@partnercentral partnercentral-selling pca-connector-ad pca-connector-scep pcs personalize
personalize-events@personalize personalize-runtime@personalize pi pinpoint@mobiletargeting pipes places.geo>geo
places.geo>geo-places polly portal.sso@awsssoportal pricingplanmanager profile proton qbusiness query-lakeformation>lakeformation
query.timestream@timestream queue>sqs quicksight ram rbin rds rds-data realtime.machinelearning>machinelearning redshift
redshift-data redshift-serverless refactor-spaces rekognition reporting-marketplace@aws-marketplace repostspace resiliencehub
resource-explorer-2 resource-groups rolesanywhere route53 route53-recovery-cluster route53-recovery-control-config
route53-recovery-readiness route53domains route53globalresolver route53profiles route53resolver routes.geo>geo
routes.geo>geo-routes rtbfabric rum runtime-medical-imaging>medical-imaging runtime-v2-lex@lex runtime.health-agent>health-agent
runtime.lex@lex runtime.sagemaker@sagemaker s3-outposts s3files s3tables s3vectors sagemaker-geospatial savingsplans scheduler
scheduling.deadline>deadline schemas scn sdb search-dynamodb>dynamodb secretsmanager security-ir securityagent securityhub
securitylake serverlessrepo servicecatalog servicecatalog-appregistry@servicecatalog servicediscovery servicequotas shield signer
signin sms-voice sms-voice.pinpoint@sms-voice snow-device-management snowball sns social-messaging sqs ssm ssm-contacts
ssm-guiconnect ssm-incidents ssm-quicksetup ssm-sap sso states storage-omics>omics storagegateway stream-logs>logs
streaming.health-agent>health-agent streams-dynamodb>streams.dynamodb@dynamodb streams.dynamodb@dynamodb sts
subscribe.mediaconvert>mediaconvert support supportapp supportauthz sustainability swf sync-states>states synthetics tagging
tags-omics>omics tax textract thinclient timestream-influxdb timestream-ingest>ingest.timestream@timestream
timestream-query>query.timestream@timestream tracking.geo>geo training-session-runtime.sagemaker@sagemaker transcribe transfer
translate trustedadvisor uxc verifiedpermissions voice-chime@chime voiceid vpc-lattice waf waf-regional wafv2 wellarchitected
wellarchitected-agent>wellarchitected wisdom workdocs workflows-omics>omics workmail workmailmessageflow workspaces
workspaces-instances workspaces-web xray
"""
