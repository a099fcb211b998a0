"""The part of HappyCo's GraphQL schema that public texts show."""

SDL = """
scalar Date
scalar DateTime
scalar JSON

type Query { account(accountId: ID!): Account }

type Mutation {
  login(input: LoginInput!): LoginPayload
  pluginLogin(input: PluginLoginInput!): LoginPayload
}

input LoginInput { email: String! password: String! }
input PluginLoginInput { clientID: String! clientSecret: String! }
type LoginPayload {
  token: String! expiresAt: String! accessibleBusinessIds: [ID!]! accessibleCustomerIds: [ID!]!
}

enum PropertyV2OrderBy { NAME_ASC }
enum WorkOrderOrderBy { CREATED_AT_DESC }
enum InspectionOrderBy { CREATED_AT_DESC }
enum WorkOrderStatus { OPEN ON_HOLD COMPLETED }
enum WorkOrderSubStatus { CANCELLED UNKNOWN }
enum WorkOrderPriority { NORMAL URGENT }
enum InspectionStatus { COMPLETE EXPIRED INCOMPLETE SCHEDULED }

input AccountPropertiesFilter { propertyId: [ID!] search: String }
input AccountWorkOrderFilter {
  createdAfter: DateTime createdBefore: DateTime status: [WorkOrderStatus!] locationId: [ID!]
}
input AccountInspectionFilter {
  createdAfter: DateTime createdBefore: DateTime status: [InspectionStatus!] locationId: [ID!]
}
input AccountMembershipFilter { search: String includeInactive: Boolean }

type Account {
  id: ID!
  name: String
  properties(
    first: Int, after: String, filter: AccountPropertiesFilter, orderBy: [PropertyV2OrderBy!]
  ): PropertyV2Connection!
  inspections(
    first: Int, after: String, filter: AccountInspectionFilter, orderBy: [InspectionOrderBy!]
  ): InspectionConnection!
  workOrders(
    first: Int, after: String, filter: AccountWorkOrderFilter, orderBy: [WorkOrderOrderBy!]
  ): WorkOrderConnection!
  memberships(first: Int, after: String, filter: AccountMembershipFilter): AccountMembershipConnection!
}

type PageInfo { hasNextPage: Boolean! endCursor: String! }

type PropertyV2Connection { count: Int! pageInfo: PageInfo! edges: [PropertyV2Edge!]! }
type PropertyV2Edge { cursor: String! node: PropertyV2! }
type PropertyV2 {
  id: ID! name: String createdAt: DateTime address: Address
  units(first: Int, after: String): UnitConnection!
}
type Address { line1: String line2: String city: String state: String country: String postalCode: String }

type UnitConnection { count: Int! pageInfo: PageInfo! edges: [UnitEdge!]! }
type UnitEdge { cursor: String! node: Unit! }
type Unit { id: ID! name: String }

type InspectionConnection { count: Int! pageInfo: PageInfo! edges: [InspectionEdge!]! }
type InspectionEdge { cursor: String! node: Inspection! }
type Inspection {
  id: ID! name: String status: InspectionStatus startedAt: DateTime endedAt: DateTime scheduledFor: Date
  dueBy: Date score: Float potentialScore: Float assignedTo: InspectionAssignee locationV2: LocationV2
  template: JSON templateV2: TemplateV2
}
interface InspectionAssignee { type: String }
type InspectionAssigneeUser implements InspectionAssignee { id: ID! name: String email: String type: String }
type LocationV2 { id: ID! name: String property: LocationProperty }
type LocationProperty { id: ID! name: String }
type TemplateV2 { id: ID! name: String }

type WorkOrderConnection { count: Int! pageInfo: PageInfo! edges: [WorkOrderEdge!]! }
type WorkOrderEdge { cursor: String! node: WorkOrder! }
type WorkOrder {
  id: ID! status: WorkOrderStatus subStatus: WorkOrderSubStatus description: String summary: String
  priority: WorkOrderPriority createdAt: DateTime updatedAt: DateTime scheduledFor: Date
  assignedTo: WorkOrderAssignee locationV2: LocationV2 inspectionDetails: InspectionDetails
}
interface WorkOrderAssignee { type: String }
type WorkOrderAssigneeUser implements WorkOrderAssignee { id: ID! name: String email: String type: String }
type WorkOrderAssigneeVendor implements WorkOrderAssignee { id: ID! name: String email: String type: String }
type InspectionDetails { inspection: InspectionReference }
type InspectionReference { id: ID! name: String status: InspectionStatus }

type AccountMembershipConnection { count: Int! pageInfo: PageInfo! edges: [AccountMembershipEdge!]! }
type AccountMembershipEdge { cursor: String! node: AccountMembership! }
type AccountMembership {
  isActive: Boolean! createdAt: DateTime updatedAt: DateTime inactivatedAt: DateTime
  account: Account user: User roles(first: Int): RoleConnection
}
type User { id: ID! email: String name: String shortName: String createdAt: DateTime updatedAt: DateTime }
type RoleConnection { nodes: [Role!]! }
type Role { id: ID! name: String }
"""
"""Assignees tell more than their `type` to inline fragments only, as the vendor's notes say."""

OPERATIONS = (
    "login",
    "pluginLogin",
    "units",
    "inspections",
    "workOrders",
    "memberships",
    "properties",
    "account",
)
"""What a request is about: the first of these fields that its query names."""

CONNECTIONS = frozenset({"properties", "inspections", "workOrders", "memberships"})
"""The lists below an account."""
